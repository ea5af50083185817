package ram

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"time"
)

// A state is the content of a directory, indexed. It is immutable.
type state struct {
	accounts map[string]bool
	keys     map[string]*Key
	users    map[ref]*User
	roles    map[ref]*roleState
	policies map[ref]*policyState // account "" has the built-in ones
	attach   map[ref][]*Policy    // of users
	tokens   cipher.AEAD          // nil: no temporary keys can be made or read

	files    []*file           // that it was built from
	declared [sha256.Size]byte // of the declared file; zero: there is none
}

// A ref identifies a user, role or policy by its account and name.
type ref struct{ account, name string }

type roleState struct {
	*Role
	trust    *Policy
	policies []*Policy
}

type policyState struct {
	*NamedPolicy
	parsed *Policy
}

// newState indexes and validates the root key, the declared file and the kept one,
// in this order. Of two entries with one name the first applies, so that a
// declaration replaces an earlier kept entry; two in one file are an error.
func newState(root Root, files ...*file) (*state, error) {
	s := &state{
		accounts: map[string]bool{root.Account: true},
		keys:     map[string]*Key{},
		users:    map[ref]*User{},
		roles:    map[ref]*roleState{},
		policies: map[ref]*policyState{},
		attach:   map[ref][]*Policy{},
		files:    files,
	}
	if root.AccessKeyID != "" {
		s.keys[root.AccessKeyID] = &Key{ID: root.AccessKeyID, Secret: root.Secret, Account: root.Account, Declared: true}
	}
	for i := range systemPolicies {
		p, err := ParsePolicy(IdentityPolicy, systemPolicies[i].Document)
		if err != nil {
			return nil, err
		}
		s.policies[ref{"", systemPolicies[i].Name}] = &policyState{&systemPolicies[i], p}
	}
	for _, f := range files {
		if err := s.add(f); err != nil {
			return nil, err
		}
	}
	// An attached policy may be declared in another file.
	for r, u := range s.users {
		list, err := s.resolve(r.account, u.Policies)
		if err != nil {
			return nil, fmt.Errorf("user %s: %w", r.name, err)
		}
		s.attach[r] = list
	}
	for r, role := range s.roles {
		list, err := s.resolve(r.account, role.Policies)
		if err != nil {
			return nil, fmt.Errorf("role %s: %w", r.name, err)
		}
		role.policies = list
	}
	return s, nil
}

func (s *state) add(f *file) error {
	key := f.TokenKey
	if f.Token != "" {
		var err error
		if key, err = base64.StdEncoding.DecodeString(f.Token); err != nil {
			return errors.New("tokenKey: 32 bytes of base64 are expected")
		}
	}
	if len(key) > 0 && s.tokens == nil {
		aead, err := newTokenAEAD(key)
		if err != nil {
			return err
		}
		s.tokens = aead
	}
	if len(f.Accounts) > MaxAccounts {
		return fmt.Errorf("more than %d accounts: %w", MaxAccounts, ErrLimit)
	}
	seen := map[any]bool{}
	once := func(what any) error {
		if seen[what] {
			return fmt.Errorf("%v: %w", what, ErrExists)
		}
		seen[what] = true
		return nil
	}
	for _, a := range f.Accounts {
		if !validAccount(a.ID) {
			return fmt.Errorf("account %q: %w", a.ID, ErrInvalidName)
		}
		if err := once(a.ID); err != nil {
			return fmt.Errorf("account %w", err)
		}
		s.accounts[a.ID] = true
		if err := s.addAccount(a, once); err != nil {
			return fmt.Errorf("account %s: %w", a.ID, err)
		}
	}
	return nil
}

func (s *state) addAccount(a *accountFile, once func(any) error) error {
	if len(a.Users) > MaxUsers || len(a.Roles) > MaxRoles || len(a.Policies) > MaxPolicies {
		return ErrLimit
	}
	for _, p := range a.Policies {
		parsed, err := ParsePolicy(IdentityPolicy, p.Document)
		if err == nil && !validPolicyName(p.Name) {
			err = ErrInvalidName
		}
		if err == nil {
			err = once([3]string{"policy", a.ID, p.Name})
		}
		if err != nil {
			return fmt.Errorf("policy %q: %w", p.Name, err)
		}
		if r := (ref{a.ID, p.Name}); s.policies[r] == nil {
			s.policies[r] = &policyState{p, parsed}
		}
	}
	if err := s.addKeys(a.ID, "", a.Keys, once); err != nil {
		return err
	}
	for _, u := range a.Users {
		err := once([3]string{"user", a.ID, u.Name})
		switch {
		case err != nil:
		case !validUserName(u.Name) || !validAccount(u.ID):
			err = ErrInvalidName
		case len(u.Policies) > MaxAttached:
			err = ErrLimit
		default:
			err = s.addKeys(a.ID, u.Name, u.Keys, once)
		}
		if err != nil {
			return fmt.Errorf("user %q: %w", u.Name, err)
		}
		if r := (ref{a.ID, u.Name}); s.users[r] == nil {
			s.users[r] = u
		}
	}
	for _, r := range a.Roles {
		if err := s.addRole(a.ID, r, once); err != nil {
			return fmt.Errorf("role %q: %w", r.Name, err)
		}
	}
	return nil
}

func (s *state) addRole(account string, r *Role, once func(any) error) error {
	if err := once([3]string{"role", account, r.Name}); err != nil {
		return err
	}
	longest := time.Duration(r.MaxSession) * time.Second
	switch {
	case !validRoleName(r.Name) || !validAccount(r.ID):
		return ErrInvalidName
	case len(r.Policies) > MaxAttached:
		return ErrLimit
	case r.MaxSession != 0 && (longest < DefaultSession || longest > MaxSession):
		return fmt.Errorf("maxSession is not between %v and %v: %w", DefaultSession, MaxSession, ErrDuration)
	}
	doc := r.Trust
	if len(doc) == 0 {
		doc = DefaultTrust(account)
	}
	trust, err := ParsePolicy(TrustPolicy, doc)
	if err != nil {
		return err
	}
	if name := (ref{account, r.Name}); s.roles[name] == nil {
		s.roles[name] = &roleState{Role: r, trust: trust}
	}
	return nil
}

func (s *state) addKeys(account, user string, keys []*Key, once func(any) error) error {
	if len(keys) > MaxKeys {
		return fmt.Errorf("more than %d access keys: %w", MaxKeys, ErrLimit)
	}
	for _, k := range keys {
		err := once([2]string{"key", k.ID})
		if err == nil && (!validKeyID(k.ID) || k.Secret == "" || len(k.Secret) > 256) {
			err = ErrInvalidName
		}
		if err != nil {
			return fmt.Errorf("access key %q: %w", bounded(k.ID), err)
		}
		if s.keys[k.ID] == nil {
			k.Account, k.User = account, user
			s.keys[k.ID] = k
		}
	}
	return nil
}

// validKeyID reports whether id can be the id of an access key. The form of
// temporary keys is not valid here.
func validKeyID(id string) bool { return validName(id, 1, 128, ".-_") && !isTemporary(id) }

// resolve finds policies by name: those of the account, then the built-in.
func (s *state) resolve(account string, names []string) ([]*Policy, error) {
	list := make([]*Policy, 0, len(names))
	for _, name := range names {
		p := s.policy(account, name)
		if p == nil {
			return nil, fmt.Errorf("policy %q: %w", bounded(name), ErrNoSuchPolicy)
		}
		list = append(list, p.parsed)
	}
	return list, nil
}

func (s *state) policy(account, name string) *policyState {
	if p := s.policies[ref{account, name}]; p != nil {
		return p
	}
	return s.policies[ref{"", name}]
}

// undefinedRoleID is the id of an undefined role, which acts as its account in
// development mode.
const undefinedRoleID = "0"

func newTokenAEAD(key []byte) (cipher.AEAD, error) {
	if len(key) != 32 {
		return nil, errors.New("tokenKey: 32 bytes are expected")
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}
