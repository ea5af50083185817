package foreign

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestCredentials(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for name, value := range map[string]string{
		"HOME": dir, "LAKE_ACCESS_KEY_ID": "env-id", "LAKE_ACCESS_KEY_SECRET": "env-secret", "LAKE_SESSION_TOKEN": "env-token", "HALF_ACCESS_KEY_ID": "x",
		"AWS_SHARED_CREDENTIALS_FILE": write("aws", "[default]\naws_access_key_id = aws-id\naws_secret_access_key = aws-secret\n[prod]\naws_access_key_id = prod-id\naws_secret_access_key = prod-secret\n"),
		"AWS_CONFIG_FILE":             write("aws-config", "[default]\nregion = eu-west-1\n"), "AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_PROFILE": "", "AWS_REGION": "", "AWS_DEFAULT_REGION": "",
		"OSSUTIL_CONFIG_FILE": write("ossutil", "# a comment\n[default]\naccessKeyID = oss-id\naccessKeySecret=oss-secret\n[profile dev]\naccessKeyID=dev-id\naccessKeySecret=dev-secret\nstsToken=dev-token\n"),
		"OSS_ACCESS_KEY_ID":   "", "OSS_ACCESS_KEY_SECRET": "",
	} {
		t.Setenv(name, value)
	}
	key := write("key.yaml", "access-key-id: file-id\naccess-key-secret: file-secret\n")
	for name, tt := range map[string]struct {
		kind Kind
		c    Credentials
		want Key
		fail string
	}{
		"variables":            {S3, Env("LAKE"), Key{ID: "env-id", Secret: "env-secret", Token: "env-token"}, ""},
		"half a key":           {S3, Env("HALF"), Key{}, "set HALF_ACCESS_KEY_ID and HALF_ACCESS_KEY_SECRET"},
		"file":                 {S3, File(key), Key{ID: "file-id", Secret: "file-secret"}, ""},
		"no file":              {OSS, File(filepath.Join(dir, "none")), Key{}, "not exist"},
		"file of another kind": {S3, File(write("bad.yaml", "id: hunter2\n")), Key{}, `unknown setting "id"`},
		"file without secret":  {S3, File(write("half.yaml", "access-key-id: a\n")), Key{}, "needs access-key-id and access-key-secret"},
		"two documents":        {S3, File(write("two.yaml", "access-key-id: a\naccess-key-secret: b\n---\naccess-key-id: c\n")), Key{}, "is not YAML"},
		"no YAML":              {S3, File(write("no.yaml", "{hunter2")), Key{}, "is not YAML"},
		"AWS profile":          {S3, Profile("prod"), Key{ID: "prod-id", Secret: "prod-secret"}, ""},
		"no AWS profile":       {S3, Profile("none"), Key{}, "none"},
		"AWS chain":            {S3, Chain(), Key{ID: "aws-id", Secret: "aws-secret"}, ""},
		"ossutil profile":      {OSS, Profile("dev"), Key{ID: "dev-id", Secret: "dev-secret", Token: "dev-token"}, ""},
		"no ossutil profile":   {OSS, Profile("none"), Key{}, "has no profile none"},
		"OSS chain":            {OSS, Chain(), Key{ID: "oss-id", Secret: "oss-secret"}, ""},
	} {
		k, err := tt.c.open(tt.kind, slog.Default())
		if tt.fail != "" {
			if err == nil || !strings.Contains(err.Error(), tt.fail) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%s: %v, want %q", name, err, tt.fail)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got, err := k(t.Context()); err != nil || got != tt.want {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	if r := DefaultRegion(S3, Chain()); r != "eu-west-1" {
		t.Errorf("region %q", r)
	}
	t.Setenv("AWS_ACCESS_KEY_ID", "variable-id")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "variable-secret")
	t.Setenv("AWS_SESSION_TOKEN", "variable-token")
	t.Setenv("AWS_DEFAULT_REGION", "eu-west-2")
	for name, tt := range map[string]struct {
		c    Credentials
		want Key
	}{
		"variables come first": {Chain(), Key{ID: "variable-id", Secret: "variable-secret", Token: "variable-token"}},
		"but for a profile":    {Profile("prod"), Key{ID: "prod-id", Secret: "prod-secret"}},
	} {
		k, err := tt.c.open(S3, slog.Default())
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got, err := k(t.Context()); err != nil || got != tt.want {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	if r := DefaultRegion(S3, Chain()); r != "eu-west-2" {
		t.Errorf("region %q", r)
	}
	t.Setenv("AWS_PROFILE", "none")
	if _, err := Chain().open(S3, slog.Default()); err == nil || !strings.Contains(err.Error(), `no profile "none"`) {
		t.Errorf("a profile that does not exist: %v", err)
	}
	if err := os.Chmod(key, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := File(key).open(S3, slog.Default()); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("a key that others may read: %v", err)
	}
}

// A file is read again when it changes. If it cannot be read, the key does not
// change, and the log says so without quoting the file.
func TestCredentialsChange(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key.yaml")
	n := 0
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		n++
		at := time.Now().Add(time.Duration(n) * time.Second) // whatever the resolution of the file system
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
	}
	write("access-key-id: a\naccess-key-secret: hunter1\n")
	var log bytes.Buffer
	k, err := File(path).open(S3, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	want := func(id string) {
		t.Helper()
		for deadline := time.Now().Add(10 * time.Second); ; {
			got, err := k(t.Context())
			if err == nil && got.ID == id {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("%q, %v; want %q", got.ID, err, id)
			}
		}
	}
	want("a")
	write("access-key-id: b\naccess-key-secret: hunter2\n")
	want("b")
	write("access-key-id: hunter3\n")
	for deadline := time.Now().Add(10 * time.Second); !strings.Contains(log.String(), "cannot read the credentials of a store again"); {
		want("b")
		if time.Now().After(deadline) {
			t.Fatal("no warning")
		}
	}
	if strings.Contains(log.String(), "hunter") {
		t.Errorf("the log has a secret: %s", log.String())
	}
}
