package stores_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stocktake/stocktake/internal/testceph"
	"github.com/stocktake/stocktake/internal/testprocess"
	"github.com/stocktake/stocktake/interop/internal/program"
)

const accessKey, secretKey = "stocktake", "stocktake-secret"

// build compiles a program that a module in ../servers pins.
func build(t *testing.T, module, name string) string {
	t.Helper()
	binary, err := program.Build(t.Context(), t.TempDir(), filepath.Join("..", "servers", module), name)
	if err != nil {
		t.Fatal(err)
	}
	return binary
}

// startVersitygw starts versitygw on a folder.
func startVersitygw(t *testing.T) *server {
	t.Helper()
	binary, dir := build(t, "", "github.com/versity/versitygw/cmd/versitygw"), t.TempDir()
	data, versions, iam := filepath.Join(dir, "data"), filepath.Join(dir, "versions"), filepath.Join(dir, "iam")
	if err := errors.Join(os.Mkdir(data, 0o700), os.Mkdir(versions, 0o700), os.Mkdir(iam, 0o700)); err != nil {
		t.Fatal(err)
	}
	var p *program.Process
	start := func(addr string) *program.Process {
		p = program.Start(t, exec.Command(binary, "--access", accessKey, "--secret", secretKey, "--port", addr, "--quiet", "--iam-dir", iam, "posix", "--versioning-dir", versions, data))
		return p
	}
	addr := program.Listen(t, start, testprocess.CheckListening)
	s := open(t, server{name: "versitygw 1.8.0", endpoint: "http://" + addr, conditional: true, ignoresMissing: true, unordered: true, pageSize: 50})
	s.makeUser = func(t *testing.T, s *server) *user {
		out, err := exec.CommandContext(t.Context(), binary, "admin", "--access", accessKey, "--secret", secretKey, "--endpoint-url", s.endpoint,
			"create-user", "--access", restrictedKey, "--secret", restrictedSecret, "--role", "user").CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return s.bucketPolicies(restrictedKey)
	}
	s.restart = func() error {
		p.Kill()
		return start(addr).Await(context.Background(), func(ctx context.Context) error { return testprocess.CheckListening(ctx, addr) })
	}
	return s
}

// startMinIO starts MinIO on four folders: with one it refuses the disk of the
// system.
func startMinIO(t *testing.T) *server {
	t.Helper()
	binary, dir := build(t, "minio", "github.com/minio/minio"), t.TempDir()
	args := []string{"server", "--quiet", "--address", ""}
	for _, name := range []string{"1", "2", "3", "4"} {
		args = append(args, filepath.Join(dir, name))
	}
	addr := program.Listen(t, func(addr string) *program.Process {
		args[3] = addr
		cmd := exec.Command(binary, args...)
		cmd.Env = append(os.Environ(), "MINIO_ROOT_USER="+accessKey, "MINIO_ROOT_PASSWORD="+secretKey,
			"MINIO_UPDATE=off", "MINIO_BROWSER=off", "MINIO_CI_CD=on", "HOME="+dir)
		return program.Start(t, cmd)
	}, testceph.CheckReady)
	grant := build(t, "minio", "./grant")
	makeUser := func(*testing.T, *server) *user {
		allow := func(t *testing.T, p policy, _ ...string) error {
			t.Helper()
			file := filepath.Join(t.TempDir(), "policy.json")
			if err := os.WriteFile(file, p.document(t, "2012-10-17"), 0o600); err != nil {
				t.Fatal(err)
			}
			cmd := exec.CommandContext(t.Context(), grant, addr, restrictedKey, restrictedSecret, file)
			cmd.Env = append(os.Environ(), "MINIO_ROOT_USER="+accessKey, "MINIO_ROOT_PASSWORD="+secretKey)
			if out, err := cmd.CombinedOutput(); err != nil {
				return fmt.Errorf("%w\n%s", err, out)
			}
			return nil
		}
		more := policy{{Effect: "Allow", Action: []string{"s3:GetBucketPolicy"}, Resource: []string{"arn:aws:s3:::SOURCE"}}}
		return &user{key: restrictedKey, secret: restrictedSecret, more: more, allow: allow}
	}
	return open(t, server{makeUser: makeUser, name: "MinIO 2026-02-12", endpoint: "http://" + addr, conditional: true, ignoresMissing: true, ignoresDeleted: true, flat: true, pageSize: 7, encodes: true, acls: true})
}

// startRadosgw starts Ceph from Debian's packages.
func startRadosgw(t *testing.T) *server {
	t.Helper()
	c, err := testceph.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(c.Output())
		}
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
	})
	if err := c.AddUser(t.Context(), "stocktake", accessKey, secretKey); err != nil {
		t.Fatal(err)
	}
	makeUser := func(t *testing.T, s *server) *user {
		if err := c.AddUser(t.Context(), restrictedKey, restrictedKey, restrictedSecret); err != nil {
			t.Fatal(err)
		}
		u := s.bucketPolicies("arn:aws:iam:::user/" + restrictedKey)
		u.opens = s.openAs(t, restrictedKey, restrictedSecret, 0).Destination // objects belong to who has written them
		return u
	}
	return open(t, server{makeUser: makeUser, name: "Ceph radosgw 16.2.15", endpoint: "http://" + c.Addr, conditional: true, ignoresDeleted: true, pageSize: 7, encodes: true, acls: true})
}
