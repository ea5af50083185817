package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/stocktake/stocktake/internal/catalog/postgres"
	"github.com/stocktake/stocktake/internal/kms"
	"github.com/stocktake/stocktake/internal/ram"
	"github.com/stocktake/stocktake/internal/securerow"
	"github.com/stocktake/stocktake/internal/server"
	"github.com/stocktake/stocktake/internal/signature"
	"github.com/stocktake/stocktake/internal/testpostgres"
	"github.com/stocktake/stocktake/stocktaketest"
)

const account = server.DefaultAccount

// of makes a server use a database, and no files for what the database can keep.
func of(address string) stocktaketest.Option {
	return func(c *server.Config) {
		c.Database, c.Migrate, c.Seed, c.ClockControl, c.MasterKey = address, true, "", false, masterKey
	}
}

// opened opens the accounts and keys of a database as commands do.
func opened(t *testing.T, address string) (*server.Shared, *ram.Directory) {
	t.Helper()
	shared, err := server.OpenShared(t.Context(), address, masterKey, "tester@test")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := shared.Close(); err != nil {
			t.Error(err)
		}
	})
	d, err := shared.Accounts(server.AccessKey{}, account)
	if err != nil {
		t.Fatal(err)
	}
	return shared, d
}

// following waits until n servers have reported which accounts they use.
func following(t *testing.T, address string, servers int) {
	t.Helper()
	cfg, err := postgres.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	cat, err := postgres.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer cat.Close()
	for n := 0; n < servers; {
		if err := cat.Database().Pool().QueryRow(t.Context(), `SELECT count(*) FROM document_readers`).Scan(&n); err != nil {
			t.Fatal(err)
		}
	}
}

// settled waits until the last change is in force on all servers.
func settled(t *testing.T, shared *server.Shared) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; {
		behind, err := shared.AwaitServers(t.Context())
		if err == nil && len(behind) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("behind are %v, %v", behind, err)
		}
	}
}

// status requests the buckets of a server with a key and returns the status of the answer.
func status(t *testing.T, s *stocktaketest.Server, k signature.Credentials) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "GET", s.Endpoint+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := signature.Sign(r, signature.Target{}, k, s.Region, signature.V4, time.Now()); err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

// assume calls AssumeRole on a server.
func assume(t *testing.T, s *stocktaketest.Server, k signature.Credentials, role string) (signature.Credentials, string) {
	t.Helper()
	form := url.Values{"Action": {"AssumeRole"}, "Version": {"2015-04-01"}, "Format": {"JSON"}, "RoleArn": {role}, "RoleSessionName": {"session"}}
	signature.SignRPC("POST", form, k, time.Now(), uuid.NewString())
	resp, err := http.PostForm(s.Endpoint+"/", form)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		t.Fatal(err)
	}
	var answer struct {
		Credentials struct{ AccessKeyId, AccessKeySecret, SecurityToken string }
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		t.Fatalf("%v\n%s", err, body)
	}
	c := answer.Credentials
	return signature.Credentials{ID: c.AccessKeyId, Secret: c.AccessKeySecret, Token: c.SecurityToken}, string(body)
}

// Changes made on one server, or by a command, are in force on all servers: keys, policies,
// roles, temporary keys, and the revocation of a key.
func TestSharedAccounts(t *testing.T) {
	address := testpostgres.Start(t).Database(t)
	a := stocktaketest.New(t, of(address))
	b := stocktaketest.New(t, of(address))
	following(t, address, 2)
	if a.AccessKeyID != b.AccessKeyID || a.AccessKeySecret != b.AccessKeySecret || a.AccessKeyID == "" {
		t.Fatalf("the root keys are %s and %s", a.AccessKeyID, b.AccessKeyID)
	}
	shared, d := opened(t, address)
	root, err := shared.RootKey()
	if err != nil || root.ID != a.AccessKeyID || root.Secret != a.AccessKeySecret {
		t.Errorf("the root key of the database is %s, %v; want %s", root.ID, err, a.AccessKeyID)
	}
	both := func(what string, k signature.Credentials, want int, words string) {
		t.Helper()
		settled(t, shared)
		for name, s := range map[string]*stocktaketest.Server{"a": a, "b": b} {
			if code, body := status(t, s, k); code != want || !strings.Contains(body, words) {
				t.Errorf("%s: %s answers %d, want %d %s\n%s", what, name, code, want, words, body)
			}
		}
	}
	if _, err := d.CreateUser(account, "alice"); err != nil {
		t.Fatal(err)
	}
	made, err := d.CreateKey(account, "alice")
	if err != nil {
		t.Fatal(err)
	}
	alice := signature.Credentials{ID: made.ID, Secret: made.Secret}
	both("a user without policies", alice, 403, "AccessDenied")
	if err := d.AttachUserPolicy(account, "alice", "AliyunOSSReadOnlyAccess"); err != nil {
		t.Fatal(err)
	}
	both("with a policy", alice, 200, "")

	if _, err := d.CreateRole(account, "reader", nil, time.Hour); err != nil {
		t.Fatal(err)
	}
	if err := d.AttachRolePolicy(account, "reader", "AliyunOSSReadOnlyAccess"); err != nil {
		t.Fatal(err)
	}
	settled(t, shared)
	session, body := assume(t, a, signature.Credentials{ID: root.ID, Secret: root.Secret}, "acs:ram::"+account+":role/reader")
	if session.Token == "" {
		t.Fatal(body)
	}
	both("a temporary key of one", session, 200, "")
	if err := d.DetachRolePolicy(account, "reader", "AliyunOSSReadOnlyAccess"); err != nil {
		t.Fatal(err)
	}
	both("its role has no policy any more", session, 403, "AccessDenied")
	if err := d.DeleteRole(account, "reader"); err != nil {
		t.Fatal(err)
	}
	both("its role is deleted", session, 403, "InvalidSecurityToken")

	if err := d.SetKeyDisabled(alice.ID, true); err != nil {
		t.Fatal(err)
	}
	both("a revoked key", alice, 403, "InvalidAccessKeyId")
	if err := d.SetKeyDisabled(alice.ID, false); err != nil {
		t.Fatal(err)
	}
	both("enabled again", alice, 200, "")
	if err := d.DeleteKey(alice.ID); err != nil {
		t.Fatal(err)
	}
	both("a deleted key", alice, 403, "InvalidAccessKeyId")
}

// While the database is stopped, accounts stay in force for the time in the settings. Then
// every key except the root key is refused with an error that clients retry. When the database
// is back, all keys are valid again.
func TestSharedAccountsWithoutDatabase(t *testing.T) {
	pg := testpostgres.Start(t)
	address := pg.Database(t)
	short := stocktaketest.New(t, of(address), func(c *server.Config) { c.AccountsMaxAge = 2 * time.Second })
	long := stocktaketest.New(t, of(address), func(c *server.Config) { c.AccountsMaxAge = time.Hour })
	following(t, address, 2)
	shared, d := opened(t, address)
	made, err := d.CreateKey(account, "")
	if err != nil {
		t.Fatal(err)
	}
	settled(t, shared)
	key := signature.Credentials{ID: made.ID, Secret: made.Secret}
	if err := pg.Stop("immediate"); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(30 * time.Second); ; {
		code, body := status(t, short, key)
		if code == 503 && strings.Contains(body, "ServiceUnavailable") {
			break
		}
		if code != 200 || time.Now().After(deadline) {
			t.Fatalf("it answers %d %s", code, body)
		}
	}
	root := signature.Credentials{ID: short.AccessKeyID, Secret: short.AccessKeySecret}
	if code, body := status(t, short, root); code != 200 {
		t.Errorf("the root key: %d %s", code, body)
	}
	if code, body := status(t, long, key); code != 200 {
		t.Errorf("within its time: %d %s", code, body)
	}
	if _, body := assume(t, short, key, "acs:ram::"+account+":role/r"); !strings.Contains(body, "ServiceUnavailable") {
		t.Errorf("AssumeRole: %s", body)
	}
	if err := pg.Start(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(60 * time.Second); ; {
		if code, body := status(t, short, key); code == 200 {
			break
		} else if time.Now().After(deadline) {
			t.Fatalf("with its database again it answers %d %s", code, body)
		}
	}
}

// If six servers start at once on an empty database, one of them creates the keys, and all use
// the same.
func TestSharedFirstStart(t *testing.T) {
	address := testpostgres.Start(t).Database(t)
	if err := server.Migrate(t.Context(), address, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	var servers [6]*server.Server
	for i := range servers {
		cfg := server.Config{Data: t.TempDir(), Listen: "127.0.0.1:0", Database: address, MasterKey: masterKey, Log: slog.New(slog.DiscardHandler)}
		wg.Go(func() {
			var err error
			if servers[i], err = server.New(context.WithoutCancel(t.Context()), cfg); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	first := 0
	var key server.AccessKey
	for _, s := range servers {
		if s == nil {
			continue
		}
		k, made := s.RootKey()
		if made {
			first++
		}
		if key.ID == "" {
			key = k
		}
		if k != key || k.ID == "" {
			t.Errorf("a root key is %s, another %s", k.ID, key.ID)
		}
		if _, err := os.Stat(server.Folder(s.Config().Data).RootKey()); !os.IsNotExist(err) {
			t.Errorf("the root key is in the data folder, too: %v", err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	if first != 1 {
		t.Errorf("%d servers say that they have made the root key, want 1", first)
	}
}

// A server with another master key, and one whose folder has accounts that would be ignored,
// are refused with an explanation.
func TestSharedRefused(t *testing.T) {
	address := testpostgres.Start(t).Database(t)
	stocktaketest.New(t, of(address))
	config := func() server.Config {
		return server.Config{Data: t.TempDir(), Listen: "127.0.0.1:0", Database: address, MasterKey: masterKey, Log: slog.New(slog.DiscardHandler)}
	}
	cfg := config()
	cfg.MasterKey = bytes.Repeat([]byte("x"), kms.MasterSize)
	if _, err := server.New(t.Context(), cfg); !errors.Is(err, securerow.ErrOtherMaster) || !strings.Contains(err.Error(), "give all machines the same") {
		t.Errorf("another master key: %v", err)
	}
	for what, make := range map[string]func(server.Folder) error{
		"accounts": func(f server.Folder) error {
			d, err := ram.Open(f.Accounts(), ram.Root{Account: account}, ram.Options{})
			if err == nil {
				_, err = d.CreateUser(account, "alice")
			}
			return err
		},
		"the root access key": func(f server.Folder) error {
			return os.WriteFile(f.RootKey(), []byte(`{"accessKeyId":"LTAIold","accessKeySecret":"old"}`), 0o600)
		},
	} {
		cfg := config()
		if err := make(server.Folder(cfg.Data)); err != nil {
			t.Fatal(err)
		}
		if _, err := server.New(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), what) || !strings.Contains(err.Error(), "migrate --import "+cfg.Data) {
			t.Errorf("a folder with %s: %v", what, err)
		}
	}
}

// Import copies accounts, the root key and encryption keys of a single server, and its
// encrypted data can be read afterwards.
func TestCarriedOver(t *testing.T) {
	address := testpostgres.Start(t).Database(t)
	folder := server.Folder(filepath.Join(t.TempDir(), "data"))
	cfg := server.Config{Data: string(folder), Listen: "127.0.0.1:0", Log: slog.New(slog.DiscardHandler)}
	s, err := server.New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	root, _ := s.RootKey()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	alone, err := ram.Open(folder.Accounts(), ram.Root{Account: account}, ram.Options{})
	if err != nil {
		t.Fatal(err)
	}
	made, err := alone.CreateKey(account, "")
	if err != nil {
		t.Fatal(err)
	}
	former, err := server.OpenKeys(folder, nil, "")
	if err != nil {
		t.Fatal(err)
	}
	_, wrapped, err := former.Wrap(t.Context(), account, kms.ServiceKey, []byte("data key"), nil)
	if err != nil {
		t.Fatal(err)
	}

	if err := server.Migrate(t.Context(), address, cfg.Log); err != nil {
		t.Fatal(err)
	}
	shared, err := server.OpenShared(t.Context(), address, masterKey, "tester")
	if err != nil {
		t.Fatal(err)
	}
	names, err := shared.Import(t.Context(), folder, masterKey, masterKey)
	if err != nil || strings.Join(names, " ") != "accounts encryption-keys root-key" {
		t.Fatalf("%v, %v", names, err)
	}
	keys, err := shared.EncryptionKeys(masterKey)
	if err != nil {
		t.Fatal(err)
	}
	if data, err := keys.Unwrap(t.Context(), wrapped, nil); err != nil || string(data) != "data key" {
		t.Errorf("%q, %v", data, err)
	}
	if _, err := shared.Import(t.Context(), folder, masterKey, masterKey); !errors.Is(err, securerow.ErrNotEmpty) {
		t.Errorf("again: %v, want %v", err, securerow.ErrNotEmpty)
	}
	if err := shared.Close(); err != nil {
		t.Error(err)
	}
	running := stocktaketest.New(t, of(address), func(c *server.Config) { c.Data = string(folder) })
	if running.AccessKeyID != root.ID {
		t.Errorf("the root key is %s, want %s", running.AccessKeyID, root.ID)
	}
	if code, body := status(t, running, signature.Credentials{ID: made.ID, Secret: made.Secret}); code != 200 {
		t.Errorf("a key of before: %d %s", code, body)
	}
}
