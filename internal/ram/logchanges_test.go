package ram

import (
	"bytes"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
)

// A server logs which accounts another process has changed, and the author, but no
// secret.
func TestChangesAreLogged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "access.json")
	root := Root{AccessKeyID: "root-key", Secret: "root-secret", Account: "1"}
	var log bytes.Buffer
	server, err := Open(path, root, Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	command, err := Open(path, root, Options{})
	if err != nil {
		t.Fatal(err)
	}
	server.current()
	log.Reset()
	if _, err := command.CreateUser("1", "alice"); err != nil {
		t.Fatal(err)
	}
	key, err := command.CreateKey("1", "alice")
	if err != nil {
		t.Fatal(err)
	}
	server.current()
	for _, change := range []func() error{
		func() error { return command.SetKeyDisabled(key.ID, true) },
		func() error { return command.AttachUserPolicy("1", "alice", "AliyunOSSReadOnlyAccess") },
		func() error { return command.DeleteKey(key.ID) },
	} {
		if err := change(); err != nil {
			t.Fatal(err)
		}
		server.current()
	}
	said := log.String()
	for _, want := range []string{
		"level=INFO msg=\"accounts changed\" change=created kind=user name=alice account=1 before=\"\" after=sha256:",
		"change=created kind=key name=" + key.ID,
		"change=changed kind=key name=" + key.ID,
		"change=changed kind=user name=alice",
		"change=deleted kind=key name=" + key.ID,
	} {
		if strings.Count(said, want) != 1 {
			t.Errorf("the log has %q %d times, want once:\n%s", want, strings.Count(said, want), said)
		}
	}
	if n := strings.Count(said, "\n"); n != 5 || strings.Contains(said, key.Secret) {
		t.Errorf("%d lines, want 5, without the secret:\n%s", n, said)
	}
	if strings.Contains(said, `writer=""`) {
		t.Errorf("the log does not say who:\n%s", said)
	}
}
