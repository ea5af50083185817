package ram_test

import (
	"bytes"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stocktake/stocktake/internal/ram"
	"github.com/stocktake/stocktake/internal/securefile"
)

func open(t testing.TB, path string, opts ram.Options) *ram.Directory {
	t.Helper()
	if opts.Now == nil {
		opts.Now = func() time.Time { return now }
	}
	d, err := ram.Open(path, root, opts)
	must(t, err)
	return d
}

func TestEverythingIsKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ram.json")
	d := open(t, path, ram.Options{})
	must(t, d.CreateAccount(other))
	u, err := d.CreateUser(owner, "alice")
	must(t, err)
	k, err := d.CreateKey(owner, "alice")
	must(t, err)
	k2, err := d.AddKey(other, "", "LTAIother", "a secret")
	must(t, err)
	must(t, d.PutPolicy(owner, "reader", ram.Document(policy(`{"Effect":"Allow","Action":"oss:GetObject","Resource":"*"}`))))
	must(t, d.AttachUserPolicy(owner, "alice", "reader"))
	must(t, d.AttachUserPolicy(owner, "alice", "AliyunOSSReadOnlyAccess"))
	must(t, d.AttachUserPolicy(owner, "alice", "reader")) // attaching it again is not an error
	must(t, d.SetKeyDisabled(k2.ID, true))
	if len(k.ID) != 24 || !strings.HasPrefix(k.ID, "LTAI") || len(k.Secret) != 30 {
		t.Errorf("key %+v", k)
	}

	d = open(t, path, ram.Options{})
	secret, who, err := d.Key(k.ID, "")
	if err != nil || secret != k.Secret || who.ARN != "acs:ram::"+owner+":user/alice" || who.ID != u.ID || who.Kind != ram.KindUser || who.Account != owner {
		t.Errorf("%q, %+v, %v", secret, who, err)
	}
	if err := d.Allowed(who, ram.Request{Action: "oss:GetObject", Bucket: "b", Owner: owner, Key: "k"}); err != nil {
		t.Error(err)
	}
	if _, _, err := d.Key(k2.ID, ""); !errors.Is(err, ram.ErrKeyDisabled) {
		t.Errorf("disabled key: %v", err)
	}
	users, err := d.Users(owner)
	must(t, err)
	if len(users) != 1 || len(users[0].Keys) != 1 || users[0].Keys[0].Secret != "" || strings.Join(users[0].Policies, " ") != "reader AliyunOSSReadOnlyAccess" || !users[0].Created.Equal(now) {
		t.Errorf("users %+v", users)
	}
	keys, err := d.Keys(owner)
	must(t, err)
	if len(keys) != 2 || keys[0].ID != root.AccessKeyID || keys[1].ID != k.ID || keys[0].Secret != "" || keys[1].Secret != "" {
		t.Errorf("keys %+v", keys)
	}
	if a := d.Accounts(); len(a) != 2 || a[0] != owner || a[1] != other || !d.HasAccount(other) || d.HasAccount("3") {
		t.Errorf("accounts %v", a)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("file mode %v, %v", info.Mode(), err)
	}

	// And deleted again.
	if err := d.DeletePolicy(owner, "reader"); !errors.Is(err, ram.ErrInUse) {
		t.Errorf("deleted an attached policy: %v", err)
	}
	must(t, d.DetachUserPolicy(owner, "alice", "reader"))
	must(t, d.DeletePolicy(owner, "reader"))
	if err := d.DeleteAccount(owner); !errors.Is(err, ram.ErrDeclared) {
		t.Errorf("deleted the account of the root key: %v", err)
	}
	must(t, d.DeleteUser(owner, "alice"))
	must(t, d.DeleteAccount(other))
	for _, id := range []string{k.ID, k2.ID} {
		if _, _, err := d.Key(id, ""); !errors.Is(err, ram.ErrNoSuchAccessKey) {
			t.Errorf("key of what was deleted: %v", err)
		}
	}
	if err := d.Allowed(who, ram.Request{Action: "oss:GetObject", Bucket: "b", Owner: owner, Key: "k"}); err == nil {
		t.Error("a deleted user is still allowed")
	}
}

func TestKeyRefuses(t *testing.T) {
	d := newDirectory(t, ram.Options{})
	for _, tt := range []struct {
		id, token string
		want      error
	}{
		{"LTAInobody", "", ram.ErrNoSuchAccessKey},
		{"", "", ram.ErrNoSuchAccessKey},
		{root.AccessKeyID, "token", ram.ErrNoSuchAccessKey},
		{"STS.x", "", ram.ErrTokenRequired},
		{"STS.x", "rubbish", ram.ErrTokenInvalid},
		{"STS.x", strings.Repeat("A", 100_000), ram.ErrTokenInvalid},
	} {
		secret, who, err := d.Key(tt.id, tt.token)
		if !errors.Is(err, tt.want) || secret != "" || !who.Anonymous() {
			t.Errorf("%s: %q, %v, %v; want %v", tt.id, secret, who, err, tt.want)
		}
	}
}

func TestRefusesWhatIsWrong(t *testing.T) {
	d := newDirectory(t, ram.Options{})
	_, err := d.CreateUser(owner, "alice")
	must(t, err)
	_, err = d.CreateRole(owner, "writer", nil, 0)
	must(t, err)
	_, err = d.AddKey(owner, "alice", "LTAIalice", "s")
	must(t, err)
	key := func(_ ram.Key, err error) error { return err }
	user := func(_ ram.User, err error) error { return err }
	role := func(_ ram.Role, err error) error { return err }
	doc := ram.Document(policy(`{"Effect":"Allow","Action":"oss:*","Resource":"*"}`))
	for name, tt := range map[string]struct{ got, want error }{
		"account that exists":       {d.CreateAccount(owner), ram.ErrExists},
		"account by name":           {d.CreateAccount("me"), ram.ErrInvalidName},
		"account that is not there": {d.DeleteAccount("7"), ram.ErrNoSuchAccount},
		"user that exists":          {user(d.CreateUser(owner, "alice")), ram.ErrExists},
		"user with a blank":         {user(d.CreateUser(owner, "al ice")), ram.ErrInvalidName},
		"user of no account":        {user(d.CreateUser("7", "bob")), ram.ErrNoSuchAccount},
		"user that is not there":    {d.DeleteUser(owner, "bob"), ram.ErrNoSuchUser},
		"key of no account":         {key(d.CreateKey("7", "")), ram.ErrNoSuchAccount},
		"key of no user":            {key(d.CreateKey(owner, "bob")), ram.ErrNoSuchUser},
		"key that exists":           {key(d.AddKey(owner, "", "LTAIalice", "s")), ram.ErrExists},
		"key like a temporary one":  {key(d.AddKey(owner, "", "STS.x", "s")), ram.ErrInvalidName},
		"key without secret":        {key(d.AddKey(owner, "", "x", "")), ram.ErrInvalidName},
		"key that is not there":     {d.DeleteKey("x"), ram.ErrNoSuchAccessKey},
		"root key":                  {d.DeleteKey(root.AccessKeyID), ram.ErrDeclared},
		"root key disabled":         {d.SetKeyDisabled(root.AccessKeyID, true), ram.ErrDeclared},
		"policy of no account":      {d.PutPolicy("7", "p", doc), ram.ErrNoSuchAccount},
		"policy with a blank":       {d.PutPolicy(owner, "a b", doc), ram.ErrInvalidName},
		"policy that is not there":  {d.DeletePolicy(owner, "p"), ram.ErrNoSuchPolicy},
		"built-in policy":           {d.DeletePolicy(owner, "AdministratorAccess"), ram.ErrNoSuchPolicy},
		"attach what is not there":  {d.AttachUserPolicy(owner, "alice", "p"), ram.ErrNoSuchPolicy},
		"detach what is not there":  {d.DetachUserPolicy(owner, "alice", "p"), ram.ErrNoSuchPolicy},
		"attach to no user":         {d.AttachUserPolicy(owner, "bob", "AdministratorAccess"), ram.ErrNoSuchUser},
		"attach to no role":         {d.AttachRolePolicy(owner, "bob", "AdministratorAccess"), ram.ErrNoSuchRole},
		"role that exists":          {role(d.CreateRole(owner, "writer", nil, 0)), ram.ErrExists},
		"role with a slash":         {role(d.CreateRole(owner, "a/b", nil, 0)), ram.ErrInvalidName},
		"role of no account":        {role(d.CreateRole("7", "r", nil, 0)), ram.ErrNoSuchAccount},
		"role for a minute":         {role(d.CreateRole(owner, "r", nil, time.Minute)), ram.ErrDuration},
		"role that is not there":    {d.DeleteRole(owner, "r"), ram.ErrNoSuchRole},
		"trust of no role":          {d.SetTrust(owner, "r", nil), ram.ErrNoSuchRole},
		"users of no account":       {second(d.Users("7")), ram.ErrNoSuchAccount},
		"keys of no account":        {second(d.Keys("7")), ram.ErrNoSuchAccount},
		"roles of no account":       {second(d.Roles("7")), ram.ErrNoSuchAccount},
		"policies of no account":    {second(d.Policies("7")), ram.ErrNoSuchAccount},
	} {
		if !errors.Is(tt.got, tt.want) {
			t.Errorf("%s: %v, want %v", name, tt.got, tt.want)
		}
	}
	for name, err := range map[string]error{
		"policy":          d.PutPolicy(owner, "p", ram.Document("{")),
		"trust":           d.SetTrust(owner, "writer", doc),
		"trust of a role": role(d.CreateRole(owner, "r", ram.Document("[]"), 0)),
	} {
		if _, ok := errors.AsType[*ram.PolicyError](err); !ok {
			t.Errorf("%s: %v, want a *PolicyError", name, err)
		}
	}
	for range ram.MaxKeys - 1 {
		must(t, key(d.CreateKey(owner, "alice")))
	}
	if err := key(d.CreateKey(owner, "alice")); !errors.Is(err, ram.ErrLimit) {
		t.Errorf("one key too many: %v", err)
	}
	if _, err := ram.Open("", ram.Root{Account: "me"}, ram.Options{}); !errors.Is(err, ram.ErrInvalidName) {
		t.Errorf("opened with a bad root: %v", err)
	}
}

func second[T any](_ T, err error) error { return err }

const declaration = `
accounts:
  - id: "1000000000000000"
    policies:
      - name: writer
        document:
          Version: 1
          Statement:
            - Effect: Allow
              Action: [oss:PutObject, oss:ListObjects]
              Resource: ["acs:oss:*:*:reports", "acs:oss:*:*:reports/*"]
              Condition: {Bool: {"acs:SecureTransport": false}}
    users:
      - name: alice
        policies: [AliyunOSSFullAccess]
        keys: [{id: LTAIalice, secret: hers}, {id: LTAIold, secret: gone, disabled: true}]
    roles:
      - name: inventory-writer
        policies: [writer]
  - id: "2000000000000000"
    keys: [{id: LTAIother, secret: theirs}]
`

func declare(t testing.TB, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "access.yaml")
	must(t, securefile.Replace(path, []byte(text)))
	return path
}

func TestDeclared(t *testing.T) {
	opts := ram.Options{Declared: declare(t, declaration), Production: true}
	path := filepath.Join(t.TempDir(), "ram.json")
	d := open(t, path, opts)
	secret, alice, err := d.Key("LTAIalice", "")
	if err != nil || secret != "hers" || alice.Name != "alice" || len(alice.ID) != 18 {
		t.Fatalf("%q, %+v, %v", secret, alice, err)
	}
	if _, again, _ := open(t, "", opts).Key("LTAIalice", ""); again != alice {
		t.Errorf("another start, another identity: %+v, %+v", again, alice)
	}
	role, err := d.RoleIdentity("acs:ram::" + owner + ":role/inventory-writer")
	must(t, err)
	q := ram.Request{Action: "oss:PutObject", Bucket: "reports", Owner: owner, Key: "x"}
	if err := d.Allowed(role, q); err != nil {
		t.Error(err)
	}
	q.Bucket = "photos"
	if err := d.Allowed(role, q); err == nil {
		t.Error("the role may write anywhere")
	}

	// Declared entries can only be changed in their file; other names can be added.
	for name, err := range map[string]error{
		"key":    d.DeleteKey("LTAIalice"),
		"user":   d.DeleteUser(owner, "alice"),
		"role":   d.DeleteRole(owner, "inventory-writer"),
		"attach": d.AttachUserPolicy(owner, "alice", "writer"),
		"policy": d.PutPolicy(owner, "writer", ram.Document(policy(`{"Effect":"Allow","Action":"*","Resource":"*"}`))),
		"delete": d.DeletePolicy(owner, "writer"),
		"other":  d.DeleteAccount(other),
	} {
		if !errors.Is(err, ram.ErrDeclared) {
			t.Errorf("%s: %v, want ErrDeclared", name, err)
		}
	}
	_, err = d.CreateUser(owner, "bob")
	must(t, err)
	must(t, d.AttachUserPolicy(owner, "bob", "writer"))
	k, err := d.CreateKey(other, "")
	must(t, err)
	if _, who, err := open(t, path, opts).Key(k.ID, ""); err != nil || who.Account != other {
		t.Errorf("%+v, %v", who, err)
	}
}

func TestBadFiles(t *testing.T) {
	for name, text := range map[string]string{
		"unknown field":    "acounts: []",
		"two of a name":    "accounts: [{id: '1'}, {id: '1'}]",
		"two keys":         "accounts: [{id: '1', keys: [{id: a, secret: b}], users: [{name: u, keys: [{id: a, secret: c}]}]}]",
		"bad account":      "accounts: [{id: me}]",
		"bad policy":       "accounts: [{id: '1', policies: [{name: p, document: {Version: 1}}]}]",
		"missing policy":   "accounts: [{id: '1', users: [{name: u, policies: [p]}]}]",
		"key of sts":       "accounts: [{id: '1', keys: [{id: STS.a, secret: b}]}]",
		"no secret":        "accounts: [{id: '1', keys: [{id: a}]}]",
		"bad token key":    "tokenKey: abc",
		"empty item":       "accounts: [{id: '1', users: [null]}]",
		"other version":    "version: 2",
		"bad session":      "accounts: [{id: '1', roles: [{name: r, maxSession: 5}]}]",
		"policy in a list": "accounts: [{id: '1', policies: [{name: p, document: []}]}]",
		"bomb":             "accounts: [{id: '1', policies: [{name: p, document: {a: &a [x], b: *a}}]}]",
		"deep":             "accounts: [{id: '1', policies: [{name: p, document: " + strings.Repeat("{a: ", 50) + "1" + strings.Repeat("}", 50) + "}]}]",
	} {
		if _, err := ram.Open("", root, ram.Options{Declared: declare(t, text)}); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	for name, text := range map[string]string{
		"not JSON": "{", "two values": `{"version":1}{}`, "other version": `{"version":9}`, "unknown": `{"version":1,"x":2}`, "empty": "",
		"short token key": `{"version":1,"tokenKey":"AAAA"}`,
	} {
		path := filepath.Join(t.TempDir(), "ram.json")
		must(t, securefile.Replace(path, []byte(text)))
		if _, err := ram.Open(path, root, ram.Options{}); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	path := declare(t, declaration)
	must(t, os.Chmod(path, 0o644))
	if _, err := ram.Open("", root, ram.Options{Declared: path}); !errors.Is(err, securefile.ErrTooOpen) {
		t.Errorf("readable by all: %v", err)
	}
	if _, err := ram.Open("", root, ram.Options{Declared: path + "x"}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing declaration: %v", err)
	}
}

// A change by another process is in force when it returns. A broken file does not
// change the state in force, and is logged once.
func TestChangesByOthers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ram.json")
	var log bytes.Buffer
	server := open(t, path, ram.Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
	tool := open(t, path, ram.Options{})
	k, err := tool.CreateKey(owner, "")
	must(t, err)
	if _, _, err := server.Key(k.ID, ""); err != nil {
		t.Errorf("a key made by another: %v", err)
	}
	// Concurrent changes do not lose each other.
	k2, err := server.CreateKey(owner, "")
	must(t, err)
	k3, err := tool.CreateKey(owner, "")
	must(t, err)
	for _, d := range []*ram.Directory{server, tool} {
		for _, id := range []string{k.ID, k2.ID, k3.ID} {
			if _, _, err := d.Key(id, ""); err != nil {
				t.Errorf("key %s: %v", id, err)
			}
		}
	}

	// So is a change that removes rights.
	must(t, tool.SetKeyDisabled(k3.ID, true))
	if _, _, err := server.Key(k3.ID, ""); !errors.Is(err, ram.ErrKeyDisabled) {
		t.Errorf("a key disabled by another: %v", err)
	}
	_, err = tool.CreateRole(owner, "writer", nil, 0)
	must(t, err)
	if roles, err := server.Roles(owner); err != nil || len(roles) != 1 {
		t.Errorf("a role made by another: %v, %v", roles, err)
	}

	must(t, securefile.Replace(path, []byte("{")))
	for range 3 {
		if _, _, err := server.Key(k.ID, ""); err != nil {
			t.Errorf("with a broken file: %v", err)
		}
	}
	for !strings.Contains(log.String(), "cannot read the changed") { // the server may trust what it saw for a millisecond
		_, _, err := server.Key(k.ID, "")
		must(t, err)
	}
	_, _, err = server.Key(k.ID, "")
	must(t, err)
	if n := strings.Count(log.String(), "cannot read the changed"); n != 1 {
		t.Errorf("logged %d times:\n%s", n, log.String())
	}
	if strings.Contains(log.String(), k.Secret) {
		t.Error("the log holds a secret")
	}
	if _, err := server.CreateUser(owner, "alice"); err == nil {
		t.Error("changed a file that cannot be read")
	}
}

// Each write fails once: the state in force stays the same, in memory and on disk.
func TestChangeIsAllOrNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ram.json")
	d := open(t, path, ram.Options{})
	broken := errors.New("disk full")
	d.FailReplace(broken)
	before, err := os.ReadFile(path)
	must(t, err)
	if _, err := d.CreateUser(owner, "alice"); !errors.Is(err, broken) {
		t.Fatalf("%v", err)
	}
	if users, _ := d.Users(owner); len(users) != 0 {
		t.Errorf("users %v", users)
	}
	if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
		t.Error("the file changed")
	}
	d.FailReplace(nil)
	if _, err := d.CreateUser(owner, "alice"); err != nil {
		t.Error(err)
	}
}
