package cluster_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss"
	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss/credentials"

	"github.com/stocktake/stocktake/internal/testserver"
)

// command is a verb of accounts on a database.
func (w *world) command(master, database string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(w.t.Context(), stocktakeBinary, append(args, "--database", database)...)
	cmd.Env = append(cmd.Environ(), envMaster+master)
	return cmd
}

const envMaster = "STOCKTAKE_MASTER_KEY="

// verb runs a verb of accounts on the database and returns its output.
func (w *world) verb(args ...string) []byte {
	w.t.Helper()
	out, err := w.command(testserver.MasterKey, w.address, args...).Output()
	if err != nil {
		failure, _ := errors.AsType[*exec.ExitError](err)
		w.t.Fatalf("stocktake %q: %v\n%s", args, err, failure.Stderr)
	}
	return out
}

// asked returns the error code of a server's answer to a request for the list of
// configurations.
func asked(t *testing.T, m *machine, id, secret string) string {
	t.Helper()
	c := oss.NewClient(oss.LoadDefaultConfig().WithRegion(testserver.Region).WithEndpoint(m.URL()).WithUsePathStyle(true).WithRetryMaxAttempts(1).
		WithCredentialsProvider(credentials.NewStaticCredentialsProvider(id, secret)))
	_, err := c.ListBucketInventory(t.Context(), &oss.ListBucketInventoryRequest{Bucket: oss.Ptr("photos")})
	answer, ok := errors.AsType[*oss.ServiceError](err)
	switch {
	case err == nil:
		return ""
	case ok:
		return answer.Code
	}
	t.Fatalf("%s: %v", m.name, err)
	return ""
}

// A change by a verb is in force on all servers of the database when the verb returns,
// including a server that starts at that moment.
func TestAccountsEverywhere(t *testing.T) {
	t.Parallel()
	l := startLake(t, "")
	l.fill(t, "photos", 100)
	w := newWorld(t, server, migrated(t, server), l, "reports")
	var machines []*machine
	for i := range 3 {
		machines = append(machines, w.startAt(fmt.Sprint("server-", i), w.address, l.endpoint))
	}
	var key struct {
		AccessKeyID     string `json:"accessKeyId"`
		AccessKeySecret string `json:"accessKeySecret"`
	}
	everywhere := func(after, want string) {
		t.Helper()
		for _, m := range machines {
			if got := asked(t, m, key.AccessKeyID, key.AccessKeySecret); got != want {
				t.Errorf("after %s, %s answers %q, want %q", after, m.name, got, want)
			}
		}
	}
	if err := json.Unmarshal(w.verb("key", "create", "--user", "ann", "--json"), &key); err != nil {
		t.Fatal(err)
	}
	const allowed, denied, disabled = "NoSuchInventory", "AccessDenied", "InvalidAccessKeyId" // there is none to list
	everywhere("key create", denied)
	policy := filepath.Join(t.TempDir(), "policy.json")
	if err := os.WriteFile(policy, []byte(`{"Version": "1", "Statement": [{"Effect": "Allow", "Action": "oss:*", "Resource": "*"}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, change := range []struct {
		verb []string
		want string
	}{
		{[]string{"policy", "put", "all", policy}, denied},
		{[]string{"user", "attach", "ann", "all"}, allowed},
		{[]string{"key", "disable", key.AccessKeyID}, disabled},
		{[]string{"key", "enable", key.AccessKeyID}, allowed},
		{[]string{"user", "detach", "ann", "all"}, denied},
		{[]string{"user", "attach", "ann", "all"}, allowed},
	} {
		w.verb(change.verb...)
		everywhere(fmt.Sprint(change.verb), change.want)
	}
	late := machines[2]
	for i := range 6 {
		if err := late.Stop(); err != nil {
			t.Fatal(err)
		}
		verb, want := "disable", disabled
		if i%2 == 1 {
			verb, want = "enable", allowed
		}
		started := make(chan error, 1)
		go func() { started <- late.start(t.Context()) }()
		w.verb("key", verb, key.AccessKeyID)
		if err := <-started; err != nil {
			t.Fatal(err)
		}
		everywhere("key "+verb+" amid a start", want)
	}
}

// The master key is replaced while servers run. A command that is killed during its
// commit does no harm.
func TestMasterKeyEverywhere(t *testing.T) {
	t.Parallel()
	l := startLake(t, "")
	w := newWorld(t, server, migrated(t, server), l, "reports")
	const next = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
	both := next + " " + testserver.MasterKey
	machines := []*machine{w.startAt("one", w.address, l.endpoint), w.startAt("two", w.address, l.endpoint)}
	var key struct {
		AccessKeyID     string `json:"accessKeyId"`
		AccessKeySecret string `json:"accessKeySecret"`
	}
	if err := json.Unmarshal(w.verb("key", "create", "--json"), &key); err != nil {
		t.Fatal(err)
	}
	works := func() {
		t.Helper()
		for _, m := range machines {
			if code := asked(t, m, key.AccessKeyID, key.AccessKeySecret); code != "NoSuchInventory" {
				t.Errorf("%s answers %q", m.name, code)
			}
		}
	}
	restart := func(m *machine, master string) {
		t.Helper()
		m.stopped()
		m.cfg.Env = append(m.cfg.Env, envMaster+master)
		if err := m.start(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	rotate := func(master string) (string, error) {
		out, err := w.command(master, w.address, "kms", "rotate-master").CombinedOutput()
		return string(out), err
	}
	l.fill(t, "photos", 100)
	restart(machines[0], both)
	works()
	if out, err := rotate(both); err == nil || !strings.Contains(out, "two: these servers do not have the new master key yet") {
		t.Errorf("%v: %s", err, out)
	}
	works()
	restart(machines[1], both)
	w.verb("kms", "create", "made-meanwhile") // with only the former key
	works()

	database := newDatabaseProxy(t, server.Socket())
	h := database.holdCommit(t, withAll([]string{"UPDATE documents"}))
	killed := w.command(both, database.address(t, w.address), "kms", "rotate-master")
	if err := killed.Start(); err != nil {
		t.Fatal(err)
	}
	w.until("the commit", func() bool {
		select {
		case <-h.reached:
			return true
		default:
			return false
		}
	})
	if err := killed.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = killed.Wait() // it was killed
	works()
	h.release()
	if out, err := rotate(both); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	works()
	if out, err := rotate(both); err != nil || !strings.Contains(out, "already") {
		t.Errorf("%v: %s", err, out)
	}
	for _, m := range machines {
		restart(m, next)
	}
	works()
	if out, err := w.command(next, w.address, "kms", "list").Output(); err != nil || !strings.Contains(string(out), "made-meanwhile") {
		t.Errorf("%v: %s", err, out)
	}
	if out, err := w.command(testserver.MasterKey, w.address, "kms", "list").CombinedOutput(); err == nil || !strings.Contains(string(out), "another master key") {
		t.Errorf("with the former key: %v: %s", err, out)
	}
}
