package ram

import (
	"cmp"
	"fmt"
	"slices"
)

// Users returns the users of an account, by name, their keys without secrets.
// ErrNoSuchAccount.
func (d *Directory) Users(account string) ([]User, error) {
	s := d.current()
	if !s.accounts[account] {
		return nil, fmt.Errorf("account %s: %w", bounded(account), ErrNoSuchAccount)
	}
	var list []User
	for r, u := range s.users {
		if r.account != account {
			continue
		}
		user := *u
		user.Policies = slices.Clone(u.Policies)
		user.Keys = make([]*Key, 0, len(u.Keys))
		for _, k := range u.Keys {
			key := *k
			key.Secret = ""
			user.Keys = append(user.Keys, &key)
		}
		list = append(list, user)
	}
	slices.SortFunc(list, func(a, b User) int { return cmp.Compare(a.Name, b.Name) })
	return list, nil
}

// CreateUser adds a user, without keys and rights. Errors: ErrNoSuchAccount,
// ErrInvalidName, ErrExists, ErrLimit.
func (d *Directory) CreateUser(account, name string) (User, error) {
	id, err := newUID(d.opts.Rand, userUID)
	if err != nil {
		return User{}, err
	}
	u := User{Name: name, ID: id, Created: d.opts.Now().UTC()}
	err = d.update(func(f *file, s *state) error {
		switch {
		case !s.accounts[account]:
			return fmt.Errorf("account %s: %w", bounded(account), ErrNoSuchAccount)
		case !validUserName(name):
			return fmt.Errorf("user %q: 1 to 64 letters, digits, '.', '@', '-', '_': %w", bounded(name), ErrInvalidName)
		case s.users[ref{account, name}] != nil:
			return fmt.Errorf("user %s: %w", name, ErrExists)
		}
		a := f.ensureAccount(account)
		if len(a.Users) >= MaxUsers {
			return fmt.Errorf("%d users: %w", MaxUsers, ErrLimit)
		}
		a.Users = append(a.Users, &u)
		return nil
	})
	if err != nil {
		return User{}, err
	}
	return u, nil
}

// DeleteUser removes a user and its keys. Errors: ErrNoSuchUser, ErrDeclared.
func (d *Directory) DeleteUser(account, name string) error {
	return d.update(func(f *file, s *state) error {
		u, err := editableUser(f, s, account, name)
		if err != nil {
			return err
		}
		a := f.account(account)
		a.Users = slices.DeleteFunc(a.Users, func(v *User) bool { return v == u })
		return nil
	})
}

// AttachUserPolicy attaches a policy of the account or a built-in one to a user;
// attaching it again is not an error. Errors: ErrNoSuchUser, ErrNoSuchPolicy,
// ErrDeclared, ErrLimit.
func (d *Directory) AttachUserPolicy(account, user, policy string) error {
	return d.update(func(f *file, s *state) error {
		u, err := editableUser(f, s, account, user)
		if err != nil {
			return err
		}
		return attach(&u.Policies, s, account, policy)
	})
}

// DetachUserPolicy detaches a policy from a user. Errors: ErrNoSuchUser,
// ErrNoSuchPolicy, ErrDeclared.
func (d *Directory) DetachUserPolicy(account, user, policy string) error {
	return d.update(func(f *file, s *state) error {
		u, err := editableUser(f, s, account, user)
		if err != nil {
			return err
		}
		return detach(&u.Policies, policy)
	})
}

func editableUser(f *file, s *state, account, name string) (*User, error) {
	if a := f.account(account); a != nil {
		if u := a.user(name); u != nil {
			return u, nil
		}
	}
	if s.users[ref{account, name}] != nil {
		return nil, fmt.Errorf("user %s: %w", name, ErrDeclared)
	}
	return nil, fmt.Errorf("user %s: %w", bounded(name), ErrNoSuchUser)
}

func attach(list *[]string, s *state, account, policy string) error {
	switch {
	case s.policy(account, policy) == nil:
		return fmt.Errorf("policy %s: %w", bounded(policy), ErrNoSuchPolicy)
	case slices.Contains(*list, policy):
		return nil
	case len(*list) >= MaxAttached:
		return fmt.Errorf("%d attached policies: %w", MaxAttached, ErrLimit)
	}
	*list = append(*list, policy)
	return nil
}

func detach(list *[]string, policy string) error {
	i := slices.Index(*list, policy)
	if i < 0 {
		return fmt.Errorf("policy %s is not attached: %w", bounded(policy), ErrNoSuchPolicy)
	}
	*list = slices.Delete(*list, i, i+1)
	return nil
}
