package ram

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/securefile"
)

// Bounds of a directory, which only its operators fill.
//
// Source: RAM, limits: 1,000 users and 1,000 roles of an account, 1,500
// policies, 20 attached to one. RAM allows 2 keys of a user; we allow 20.
const (
	MaxAccounts = 1000
	MaxUsers    = 1000
	MaxRoles    = 1000
	MaxPolicies = 1500
	MaxAttached = 20
	MaxKeys     = 20

	MaxSize = 64 << 20 // bytes of a directory
)

// Times of a session.
//
// Source: STS API reference, AssumeRole; RAM, MaxSessionDuration.
const (
	MinSession     = 15 * time.Minute
	DefaultSession = time.Hour
	MaxSession     = 12 * time.Hour
)

// fileVersion is the version of the format of the file; see
// docs/formats/directory.md.
const fileVersion = 1

// A file is the content of a kept file, in JSON, or of a declared one, in YAML.
type file struct {
	Version  int            `json:"version" yaml:"version"`
	TokenKey []byte         `json:"tokenKey,omitempty" yaml:"-"` // 32 bytes
	Token    string         `json:"-" yaml:"tokenKey"`           // the same as base64, declared
	Accounts []*accountFile `json:"accounts" yaml:"accounts"`
}

type accountFile struct {
	ID       string         `json:"id" yaml:"id"`
	Keys     []*Key         `json:"keys,omitempty" yaml:"keys"` // of the account itself
	Policies []*NamedPolicy `json:"policies,omitempty" yaml:"policies"`
	Users    []*User        `json:"users,omitempty" yaml:"users"`
	Roles    []*Role        `json:"roles,omitempty" yaml:"roles"`
}

// A Key is an access key.
type Key struct {
	ID       string    `json:"id" yaml:"id"`
	Secret   string    `json:"secret" yaml:"secret"` // empty in listings
	Disabled bool      `json:"disabled,omitempty" yaml:"disabled"`
	Created  time.Time `json:"created,omitzero" yaml:"created"`

	Account  string `json:"-" yaml:"-"`
	User     string `json:"-" yaml:"-"` // empty: of the account itself
	Declared bool   `json:"-" yaml:"-"` // in a file of the operator's
}

// A User is a RAM user of an account.
type User struct {
	Name     string    `json:"name" yaml:"name"`
	ID       string    `json:"id" yaml:"id"`                       // UID, decimal
	Policies []string  `json:"policies,omitempty" yaml:"policies"` // attached, by name
	Keys     []*Key    `json:"keys,omitempty" yaml:"keys"`
	Created  time.Time `json:"created,omitzero" yaml:"created"`
	Declared bool      `json:"-" yaml:"-"`
}

// A Role is a RAM role of an account.
type Role struct {
	Name       string    `json:"name" yaml:"name"`
	ID         string    `json:"id" yaml:"id"`                           // UID, decimal
	Trust      Document  `json:"trust,omitempty" yaml:"trust"`           // empty: DefaultTrust of the account
	Policies   []string  `json:"policies,omitempty" yaml:"policies"`     // attached, by name
	MaxSession int64     `json:"maxSession,omitempty" yaml:"maxSession"` // seconds; 0 means 3,600
	Created    time.Time `json:"created,omitzero" yaml:"created"`
	Declared   bool      `json:"-" yaml:"-"`
}

// A NamedPolicy is a policy that can be attached to users and roles.
type NamedPolicy struct {
	Name     string   `json:"name" yaml:"name"`
	Document Document `json:"document" yaml:"document"`
	System   bool     `json:"-" yaml:"-"` // built in
	Declared bool     `json:"-" yaml:"-"`
}

// readJSON reads the file that a directory keeps.
func readJSON(b []byte) (*file, error) {
	f := new(file)
	if err := securefile.DecodeJSON(b, f); err != nil {
		return nil, err
	}
	if f.Version != fileVersion {
		return nil, fmt.Errorf("format version %d; this program knows %d", f.Version, fileVersion)
	}
	return f, f.checkNil()
}

// readYAML reads a file of declarations.
func readYAML(b []byte) (*file, error) {
	f := new(file)
	d := yaml.NewDecoder(bytes.NewReader(b))
	d.KnownFields(true)
	if err := d.Decode(f); err != nil && err != io.EOF { // an empty file declares nothing
		return nil, yamlError(err)
	}
	if err := d.Decode(new(yaml.Node)); err != io.EOF {
		return nil, errors.New("a second document follows the first: declare everything in one")
	}
	if f.Version != 0 && f.Version != fileVersion {
		return nil, fmt.Errorf("format version %d; this program knows %d", f.Version, fileVersion)
	}
	if err := f.checkNil(); err != nil {
		return nil, err
	}
	for _, a := range f.Accounts {
		for _, k := range a.Keys {
			k.Declared = true
		}
		for _, p := range a.Policies {
			p.Declared = true
		}
		for _, u := range a.Users {
			u.Declared = true
			for _, k := range u.Keys {
				k.Declared = true
			}
		}
		for _, r := range a.Roles {
			r.Declared = true
		}
	}
	return f, nil
}

// checkNil refuses an empty item in a list, which both formats can write.
func (f *file) checkNil() error {
	bad := slices.Contains(f.Accounts, nil)
	for _, a := range f.Accounts {
		if bad = bad || a == nil; bad {
			break
		}
		bad = slices.Contains(a.Keys, nil) || slices.Contains(a.Policies, nil) || slices.Contains(a.Users, nil) || slices.Contains(a.Roles, nil)
		for _, u := range a.Users {
			bad = bad || u == nil || slices.Contains(u.Keys, nil)
		}
	}
	if bad {
		return errors.New("an item of a list is empty")
	}
	return nil
}

// account finds an account of the file; nil if it has none.
func (f *file) account(id string) *accountFile {
	if i := slices.IndexFunc(f.Accounts, func(a *accountFile) bool { return a.ID == id }); i >= 0 {
		return f.Accounts[i]
	}
	return nil
}

// ensureAccount finds an account of the file or adds it. A declared account, and that of
// the root key, get an entry with their first kept change.
func (f *file) ensureAccount(id string) *accountFile {
	a := f.account(id)
	if a == nil {
		a = &accountFile{ID: id}
		f.Accounts = append(f.Accounts, a)
	}
	return a
}

func (a *accountFile) user(name string) *User {
	if i := slices.IndexFunc(a.Users, func(u *User) bool { return u.Name == name }); i >= 0 {
		return a.Users[i]
	}
	return nil
}

func (a *accountFile) role(name string) *Role {
	if i := slices.IndexFunc(a.Roles, func(r *Role) bool { return r.Name == name }); i >= 0 {
		return a.Roles[i]
	}
	return nil
}

// DefaultTrust returns the trust policy of a role that is made without one: the
// inventory service and every identity of the account may assume it.
func DefaultTrust(account string) Document {
	return Document(`{"Version":"1","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole",` +
		`"Principal":{"RAM":["acs:ram::` + account + `:root"],"Service":["` + InventoryService + `"]}}]}`)
}

// InventoryService is the service that makes inventory reports, as trust
// policies name it.
const InventoryService = "oss.aliyuncs.com"

// systemPolicies are the system policies of Alibaba Cloud that concern this server.
//
// Source: RAM console, system policies.
var systemPolicies = []NamedPolicy{
	{Name: "AdministratorAccess", System: true, Document: Document(`{"Version":"1","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`)},
	{Name: "AliyunOSSFullAccess", System: true, Document: Document(`{"Version":"1","Statement":[{"Effect":"Allow","Action":"oss:*","Resource":"*"}]}`)},
	{Name: "AliyunOSSReadOnlyAccess", System: true, Document: Document(`{"Version":"1","Statement":[{"Effect":"Allow","Action":["oss:Get*","oss:List*"],"Resource":"*"}]}`)},
	{Name: "AliyunSTSAssumeRoleAccess", System: true, Document: Document(`{"Version":"1","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"*"}]}`)},
}

// goTypes are the names of Go's types in the decoder's errors, which mean
// nothing to a reader of the file.
var goTypes = regexp.MustCompile(` (in|into) (type )?[\[\]*]*(ram|map|yaml)[.\[][^\s]*`)

// yamlError returns an error of the decoder without the names of Go's types.
func yamlError(err error) error {
	list, ok := errors.AsType[*yaml.TypeError](err)
	if !ok {
		return err
	}
	var lines []string
	for _, e := range list.Errors {
		lines = append(lines, goTypes.ReplaceAllString(e, ""))
	}
	return errors.New(strings.Join(lines, "; "))
}

func validAccount(id string) bool { return stocktake.ValidAccountID(id) }
