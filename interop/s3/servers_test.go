package s3_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

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
	addr := program.Listen(t, start, program.Dials)
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
		return start(addr).Await(context.Background(), func(ctx context.Context) error { return program.Dials(ctx, addr) })
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
	}, answers)
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

// answers reports whether a server answers a listing of buckets that is not
// signed: one that is not ready yet answers 503.
func answers(ctx context.Context, addr string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	resp.Body.Close()
	if resp.StatusCode >= 500 {
		return errors.New(resp.Status)
	}
	return nil
}

// cephConf is the smallest Ceph: one monitor, one OSD in memory, one gateway, and
// no authentication between them.
const cephConf = `[global]
fsid = 485365c0-589e-4a87-95e6-5a987efae67c
mon host = [v2:MON]
auth cluster required = cephx
auth service required = cephx
auth client required = cephx
mon allow pool size one = true
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 2
osd pool default pgp num = 2
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
osd objectstore = memstore
memstore device bytes = 1073741824
public addr = 127.0.0.1
cluster addr = 127.0.0.1
mon data = DIR/mon
osd data = DIR/osd
rgw data = DIR/rgw
mon data avail crit = 0
run dir = DIR
admin socket = DIR/$name.asok
log file = DIR/$name.log
mon cluster log file = DIR/cluster.log
keyring = DIR/keyring
rgw frontends = beast endpoint=RGW
rgw enable apis = s3
rgw thread pool size = 64
`

// startRadosgw starts Ceph from Debian's packages.
func startRadosgw(t *testing.T) *server {
	t.Helper()
	mon, osd, rgw := program.Installed(t, "ceph-mon", "ceph-mon"), program.Installed(t, "ceph-osd", "ceph-osd"), program.Installed(t, "radosgw", "radosgw")
	// A path of a socket must be short.
	dir, err := os.MkdirTemp("", "ceph")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) }) // after the processes
	conf, keyring := filepath.Join(dir, "ceph.conf"), filepath.Join(dir, "keyring")
	const fsid, osdID = "485365c0-589e-4a87-95e6-5a987efae67c", "0a55d1ad-2f5c-4a34-9c5a-1c1f42dd7c0d"
	configure := func(monAddr, rgwAddr string) {
		text := strings.NewReplacer("MON", monAddr, "RGW", rgwAddr, "DIR", dir).Replace(cephConf)
		if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	do := func(program string, args ...string) {
		t.Helper()
		if out, err := exec.CommandContext(t.Context(), program, args...).CombinedOutput(); err != nil {
			t.Fatalf("%s %v: %v\n%s", program, args, err, out)
		}
	}
	monAddr := program.Listen(t, func(addr string) *program.Process {
		if err := os.RemoveAll(filepath.Join(dir, "mon")); err != nil {
			t.Fatal(err)
		}
		configure(addr, "")
		do("ceph-authtool", keyring, "--create-keyring", "--gen-key", "-n", "mon.", "--cap", "mon", "allow *")
		do("ceph-authtool", keyring, "--gen-key", "-n", "client.admin", "--cap", "mon", "allow *", "--cap", "osd", "allow *")
		monMap := filepath.Join(dir, "monmap")
		do("monmaptool", "--create", "--clobber", "--fsid", fsid, "--addv", "a", "[v2:"+addr+"]", monMap)
		do(mon, "-c", conf, "--mkfs", "-i", "a", "--monmap", monMap, "--keyring", keyring)
		return program.Start(t, exec.Command(mon, "-c", conf, "-i", "a", "-f"))
	}, program.Dials)
	do("ceph", "-c", conf, "--connect-timeout", "120", "osd", "new", osdID, "0")
	if err := errors.Join(os.Mkdir(filepath.Join(dir, "osd"), 0o700), os.Mkdir(filepath.Join(dir, "rgw"), 0o700)); err != nil {
		t.Fatal(err)
	}
	do("ceph", "-c", conf, "auth", "get-or-create", "osd.0", "mon", "allow profile osd", "osd", "allow *", "-o", keyring+".osd")
	do("ceph-authtool", keyring, "--import-keyring", keyring+".osd")
	do(osd, "-c", conf, "-i", "0", "--mkfs", "--osd-uuid", osdID)
	program.Start(t, exec.Command(osd, "-c", conf, "-i", "0", "-f"))
	addr := program.Listen(t, func(addr string) *program.Process {
		configure(monAddr, addr)
		return program.Start(t, exec.Command(rgw, "-c", conf, "-n", "client.admin", "-f"))
	}, answers)
	do("radosgw-admin", "-c", conf, "user", "create", "--uid", "stocktake", "--display-name", "stocktake", "--access-key", accessKey, "--secret", secretKey)
	makeUser := func(t *testing.T, s *server) *user {
		do("radosgw-admin", "-c", conf, "user", "create", "--uid", restrictedKey, "--display-name", restrictedKey, "--access-key", restrictedKey, "--secret", restrictedSecret)
		u := s.bucketPolicies("arn:aws:iam:::user/" + restrictedKey)
		u.opens = s.openAs(t, restrictedKey, restrictedSecret, 0).Destination // objects belong to who has written them
		return u
	}
	return open(t, server{makeUser: makeUser, name: "Ceph radosgw 16.2.15", endpoint: "http://" + addr, conditional: true, ignoresDeleted: true, pageSize: 7, encodes: true, acls: true})
}
