package ram

import (
	"cmp"
	"fmt"
	"slices"
)

// Policies returns the policies that can be attached in an account, by name: its
// own and the built-in ones it does not replace. ErrNoSuchAccount.
func (d *Directory) Policies(account string) ([]NamedPolicy, error) {
	s := d.current()
	if !s.accounts[account] {
		return nil, fmt.Errorf("account %s: %w", bounded(account), ErrNoSuchAccount)
	}
	var list []NamedPolicy
	for r, p := range s.policies {
		if r.account == account || r.account == "" && s.policies[ref{account, r.name}] == nil {
			copied := *p.NamedPolicy
			copied.Document = slices.Clone(p.Document)
			list = append(list, copied)
		}
	}
	slices.SortFunc(list, func(a, b NamedPolicy) int { return cmp.Compare(a.Name, b.Name) })
	return list, nil
}

// PutPolicy adds or replaces a policy of an account; the users and roles that it is
// attached to have the new rights at once. Errors: ErrNoSuchAccount,
// ErrInvalidName, ErrDeclared, ErrLimit, *PolicyError.
func (d *Directory) PutPolicy(account, name string, doc Document) error {
	return d.update(func(f *file, s *state) error {
		if !s.accounts[account] {
			return fmt.Errorf("account %s: %w", bounded(account), ErrNoSuchAccount)
		}
		if !validPolicyName(name) {
			return fmt.Errorf("policy %q: 1 to 128 letters, digits, '-': %w", bounded(name), ErrInvalidName)
		}
		if _, err := ParsePolicy(IdentityPolicy, doc); err != nil {
			return fmt.Errorf("policy %s: %w", name, err)
		}
		a := f.ensureAccount(account)
		if i := slices.IndexFunc(a.Policies, func(p *NamedPolicy) bool { return p.Name == name }); i >= 0 {
			a.Policies[i].Document = doc
			return nil
		}
		if p := s.policies[ref{account, name}]; p != nil {
			return fmt.Errorf("policy %s: %w", name, ErrDeclared)
		}
		if len(a.Policies) >= MaxPolicies {
			return fmt.Errorf("%d policies: %w", MaxPolicies, ErrLimit)
		}
		a.Policies = append(a.Policies, &NamedPolicy{Name: name, Document: doc})
		return nil
	})
}

// DeletePolicy removes a policy that is not attached to any user or role. Errors:
// ErrNoSuchPolicy, ErrInUse, ErrDeclared.
func (d *Directory) DeletePolicy(account, name string) error {
	return d.update(func(f *file, s *state) error {
		p := s.policies[ref{account, name}]
		if p == nil {
			return fmt.Errorf("policy %s: %w", bounded(name), ErrNoSuchPolicy)
		}
		a := f.account(account)
		if p.Declared || a == nil {
			return fmt.Errorf("policy %s: %w", name, ErrDeclared)
		}
		for r, u := range s.users {
			if r.account == account && slices.Contains(u.Policies, name) {
				return fmt.Errorf("policy %s is attached to user %s: %w", name, u.Name, ErrInUse)
			}
		}
		for r, role := range s.roles {
			if r.account == account && slices.Contains(role.Policies, name) {
				return fmt.Errorf("policy %s is attached to role %s: %w", name, role.Name, ErrInUse)
			}
		}
		a.Policies = slices.DeleteFunc(a.Policies, func(q *NamedPolicy) bool { return q.Name == name })
		return nil
	})
}
