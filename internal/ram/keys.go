package ram

import (
	"cmp"
	"fmt"
	"slices"
)

// Accounts returns the ids of all accounts, sorted.
func (d *Directory) Accounts() []string {
	s := d.current()
	list := make([]string, 0, len(s.accounts))
	for id := range s.accounts {
		list = append(list, id)
	}
	slices.Sort(list)
	return list
}

// HasAccount reports whether the account id exists.
func (d *Directory) HasAccount(id string) bool { return d.current().accounts[id] }

// CreateAccount adds an account, without keys. Errors: ErrInvalidName,
// ErrExists, ErrLimit.
func (d *Directory) CreateAccount(id string) error {
	return d.update(func(f *file, s *state) error {
		switch {
		case !validAccount(id):
			return fmt.Errorf("account %q: %w", bounded(id), ErrInvalidName)
		case s.accounts[id]:
			return fmt.Errorf("account %s: %w", id, ErrExists)
		case len(f.Accounts) >= MaxAccounts:
			return ErrLimit
		}
		f.ensureAccount(id)
		return nil
	})
}

// DeleteAccount removes an account that has only keys left. Its buckets stay, but
// are unreachable. Errors: ErrNoSuchAccount, ErrInUse, ErrDeclared.
func (d *Directory) DeleteAccount(id string) error {
	return d.update(func(f *file, s *state) error {
		a := f.account(id)
		switch {
		case !s.accounts[id]:
			return fmt.Errorf("account %s: %w", bounded(id), ErrNoSuchAccount)
		case a == nil || id == d.root.Account:
			return fmt.Errorf("account %s: %w", id, ErrDeclared)
		case len(a.Users) > 0 || len(a.Roles) > 0 || len(a.Policies) > 0:
			return fmt.Errorf("account %s has users, roles or policies: %w", id, ErrInUse)
		}
		f.Accounts = slices.DeleteFunc(f.Accounts, func(b *accountFile) bool { return b == a })
		return nil
	})
}

// Keys returns the access keys of an account and its users, by user and id,
// without secrets. ErrNoSuchAccount.
func (d *Directory) Keys(account string) ([]Key, error) {
	s := d.current()
	if !s.accounts[account] {
		return nil, fmt.Errorf("account %s: %w", bounded(account), ErrNoSuchAccount)
	}
	var list []Key
	for _, k := range s.keys {
		if k.Account == account {
			key := *k
			key.Secret = ""
			list = append(list, key)
		}
	}
	slices.SortFunc(list, func(a, b Key) int { return cmp.Or(cmp.Compare(a.User, b.User), cmp.Compare(a.ID, b.ID)) })
	return list, nil
}

// CreateKey makes an access key of a user or, if user is empty, of the account
// itself. Only CreateKey returns the secret. Errors: ErrNoSuchAccount,
// ErrNoSuchUser, ErrDeclared, ErrLimit.
func (d *Directory) CreateKey(account, user string) (Key, error) {
	id, secret, err := newSecretKey(d.opts.Rand, "LTAI")
	if err != nil {
		return Key{}, err
	}
	return d.AddKey(account, user, id, secret)
}

// AddKey adds an existing access key, with the errors of CreateKey. It returns
// ErrExists for an id that is taken, and ErrInvalidName for an invalid id.
func (d *Directory) AddKey(account, user, id, secret string) (Key, error) {
	k := Key{ID: id, Secret: secret, Created: d.opts.Now().UTC(), Account: account, User: user}
	err := d.update(func(f *file, s *state) error {
		switch {
		case !s.accounts[account]:
			return fmt.Errorf("account %s: %w", bounded(account), ErrNoSuchAccount)
		case s.keys[id] != nil:
			return fmt.Errorf("access key %s: %w", id, ErrExists)
		}
		keys := &f.ensureAccount(account).Keys
		if user != "" {
			u, err := editableUser(f, s, account, user)
			if err != nil {
				return err
			}
			keys = &u.Keys
		}
		if len(*keys) >= MaxKeys {
			return fmt.Errorf("%d access keys: %w", MaxKeys, ErrLimit)
		}
		*keys = append(*keys, &k)
		return nil
	})
	if err != nil {
		return Key{}, err
	}
	return k, nil
}

// SetKeyDisabled disables or enables an access key. Errors:
// ErrNoSuchAccessKey, ErrDeclared.
func (d *Directory) SetKeyDisabled(id string, disabled bool) error {
	return d.update(func(f *file, s *state) error {
		keys, i, err := editableKey(f, s, id)
		if err != nil {
			return err
		}
		(*keys)[i].Disabled = disabled
		return nil
	})
}

// DeleteKey removes an access key. Errors: ErrNoSuchAccessKey, ErrDeclared.
func (d *Directory) DeleteKey(id string) error {
	return d.update(func(f *file, s *state) error {
		keys, i, err := editableKey(f, s, id)
		if err != nil {
			return err
		}
		*keys = slices.Delete(*keys, i, i+1)
		return nil
	})
}

// editableKey finds a key in the file.
func editableKey(f *file, s *state, id string) (*[]*Key, int, error) {
	k := s.keys[id]
	if k == nil {
		return nil, 0, fmt.Errorf("access key %s: %w", bounded(id), ErrNoSuchAccessKey)
	}
	if a := f.account(k.Account); a != nil && !k.Declared {
		keys := &a.Keys
		if u := a.user(k.User); u != nil {
			keys = &u.Keys
		}
		if i := slices.IndexFunc(*keys, func(k *Key) bool { return k.ID == id }); i >= 0 {
			return keys, i, nil
		}
	}
	return nil, 0, fmt.Errorf("access key %s: %w", id, ErrDeclared)
}
