package ram

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/stocktake/stocktake"
)

// Roles returns the roles of an account, by name. ErrNoSuchAccount.
func (d *Directory) Roles(account string) ([]Role, error) {
	s := d.current()
	if !s.accounts[account] {
		return nil, fmt.Errorf("account %s: %w", bounded(account), ErrNoSuchAccount)
	}
	var list []Role
	for r, role := range s.roles {
		if r.account == account {
			copied := *role.Role
			copied.Policies = slices.Clone(role.Policies)
			copied.Trust = slices.Clone(role.Trust)
			list = append(list, copied)
		}
	}
	slices.SortFunc(list, func(a, b Role) int { return cmp.Compare(a.Name, b.Name) })
	return list, nil
}

// CreateRole adds a role without rights. trust says who may assume it; nil is
// [DefaultTrust]. maxSession is the longest session; 0 means an hour. Errors:
// ErrNoSuchAccount, ErrInvalidName, ErrExists, ErrLimit, ErrDuration,
// *PolicyError.
func (d *Directory) CreateRole(account, name string, trust Document, maxSession time.Duration) (Role, error) {
	id, err := newUID(d.opts.Rand, roleUID)
	if err != nil {
		return Role{}, err
	}
	r := Role{Name: name, ID: id, Trust: trust, MaxSession: int64(maxSession / time.Second), Created: d.opts.Now().UTC()}
	err = d.update(func(f *file, s *state) error {
		switch {
		case !s.accounts[account]:
			return fmt.Errorf("account %s: %w", bounded(account), ErrNoSuchAccount)
		case !validRoleName(name):
			return fmt.Errorf("role %q: 1 to 64 letters, digits, '.', '-', '_': %w", bounded(name), ErrInvalidName)
		case s.roles[ref{account, name}] != nil:
			return fmt.Errorf("role %s: %w", name, ErrExists)
		}
		if err := checkTrust(trust); err != nil {
			return err
		}
		a := f.ensureAccount(account)
		if len(a.Roles) >= MaxRoles {
			return fmt.Errorf("%d roles: %w", MaxRoles, ErrLimit)
		}
		a.Roles = append(a.Roles, &r)
		return nil
	})
	if err != nil {
		return Role{}, err
	}
	return r, nil
}

// checkTrust validates a trust policy before it is stored in the file, which holds
// it as JSON.
func checkTrust(trust Document) error {
	if len(trust) == 0 {
		return nil
	}
	_, err := ParsePolicy(TrustPolicy, trust)
	return err
}

// SetTrust replaces the trust policy of a role; nil is [DefaultTrust]. Errors:
// ErrNoSuchRole, ErrDeclared, *PolicyError.
func (d *Directory) SetTrust(account, role string, trust Document) error {
	return d.update(func(f *file, s *state) error {
		if err := checkTrust(trust); err != nil {
			return err
		}
		r, err := editableRole(f, s, account, role)
		if err != nil {
			return err
		}
		r.Trust = trust
		return nil
	})
}

// DeleteRole removes a role; its sessions lose their rights at once. Errors:
// ErrNoSuchRole, ErrDeclared.
func (d *Directory) DeleteRole(account, name string) error {
	return d.update(func(f *file, s *state) error {
		r, err := editableRole(f, s, account, name)
		if err != nil {
			return err
		}
		a := f.account(account)
		a.Roles = slices.DeleteFunc(a.Roles, func(q *Role) bool { return q == r })
		return nil
	})
}

// AttachRolePolicy attaches a policy of the account or a built-in one to a role;
// attaching it again is not an error. Errors: ErrNoSuchRole, ErrNoSuchPolicy,
// ErrDeclared, ErrLimit.
func (d *Directory) AttachRolePolicy(account, role, policy string) error {
	return d.update(func(f *file, s *state) error {
		r, err := editableRole(f, s, account, role)
		if err != nil {
			return err
		}
		return attach(&r.Policies, s, account, policy)
	})
}

// DetachRolePolicy detaches a policy from a role. Errors: ErrNoSuchRole,
// ErrNoSuchPolicy, ErrDeclared.
func (d *Directory) DetachRolePolicy(account, role, policy string) error {
	return d.update(func(f *file, s *state) error {
		r, err := editableRole(f, s, account, role)
		if err != nil {
			return err
		}
		return detach(&r.Policies, policy)
	})
}

func editableRole(f *file, s *state, account, name string) (*Role, error) {
	if a := f.account(account); a != nil {
		if r := a.role(name); r != nil {
			return r, nil
		}
	}
	if s.roles[ref{account, name}] != nil {
		return nil, fmt.Errorf("role %s: %w", name, ErrDeclared)
	}
	return nil, fmt.Errorf("role %s: %w", bounded(name), ErrNoSuchRole)
}

// runSession is the session name of a run.
const runSession = "inventory"

// RoleIdentity returns the identity with which a run of an inventory acts in the
// role arn. Call it for every run: it fails once the role is deleted or no longer
// trusts [InventoryService]. Errors: ErrNoSuchRole, ErrNotTrusted, and that of
// [securefile.Storage.Confirmed].
//
// In development mode, while no role is defined at all, any role of an existing
// account acts with the rights of the account.
func (d *Directory) RoleIdentity(arn string) (Identity, error) {
	if err := d.doc.Confirmed(); err != nil {
		return Identity{}, err
	}
	s := d.current()
	account, name, ok := stocktake.ParseRoleARN(arn)
	if !ok {
		return Identity{}, fmt.Errorf("role %q: %w", bounded(arn), ErrNoSuchRole)
	}
	r, err := d.role(s, account, name)
	if err != nil {
		return Identity{}, err
	}
	service := Identity{Kind: KindService, Name: InventoryService, ARN: InventoryService}
	if r.trust != nil && r.trust.evaluate(d.assuming(&service, account, name)) != allow {
		return Identity{}, fmt.Errorf("%s: %s is not in its trust policy: %w", arn, InventoryService, ErrNotTrusted)
	}
	return sessionIdentity(account, name, r.ID, runSession, nil), nil
}

// role finds a role. In development mode it also returns an undefined role, without
// a trust policy.
func (d *Directory) role(s *state, account, name string) (*roleState, error) {
	if r := s.roles[ref{account, name}]; r != nil {
		return r, nil
	}
	if !d.opts.Production && len(s.roles) == 0 && s.accounts[account] {
		return &roleState{Role: &Role{Name: name, ID: undefinedRoleID, MaxSession: int64(MaxSession / time.Second)}}, nil
	}
	return nil, fmt.Errorf("%s: %w", roleARN(account, name), ErrNoSuchRole)
}

// assuming returns the evaluation of whether who may assume a role.
func (d *Directory) assuming(who *Identity, account, role string) *evaluation {
	return &evaluation{
		Request: Request{Action: "sts:AssumeRole", Time: d.opts.Now()},
		who:     who, service: "ram", account: account, name: "role/" + role,
		action: "sts:assumerole", budget: budget{maxWork},
	}
}
