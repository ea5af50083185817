package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// postgres is a PostgreSQL server of its own, in a folder, reached through a
// socket in it. As root it runs as the user postgres, since it refuses root.
type postgres struct {
	bin, dir string
	as       *syscall.Credential // nil: as we are
}

func (p *postgres) start(ctx context.Context) error {
	if err := os.Mkdir(p.dir, 0o700); err != nil {
		return err
	}
	if os.Geteuid() == 0 {
		u, err := user.Lookup("postgres")
		if err != nil {
			return err
		}
		uid, err := strconv.ParseUint(u.Uid, 10, 32)
		if err != nil {
			return err
		}
		gid, err := strconv.ParseUint(u.Gid, 10, 32)
		if err != nil {
			return err
		}
		if err := os.Chown(p.dir, int(uid), int(gid)); err != nil {
			return err
		}
		p.as = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	}
	data := filepath.Join(p.dir, "data")
	if _, err := output(p.command(ctx, "initdb", "-D", data, "-U", "bench", "-A", "trust", "-E", "UTF8", "--locale=C", "-N")); err != nil {
		return err
	}
	// Synchronous scans would begin in the middle of the table; the rest is what a
	// machine of 4 GB and more is commonly given.
	start := p.command(ctx, "pg_ctl", "start", "-w", "-D", data, "-l", filepath.Join(p.dir, "log"), "-o", fmt.Sprintf(
		"-c listen_addresses='' -c unix_socket_directories='%s' -c shared_buffers=1GB -c max_wal_size=4GB -c synchronize_seqscans=off", p.dir))
	return start.Run() // the server keeps what would be its output
}

func (p *postgres) stop() error {
	_, err := output(p.command(context.Background(), "pg_ctl", "stop", "-w", "-m", "fast", "-D", filepath.Join(p.dir, "data")))
	return err
}

func (p *postgres) query(ctx context.Context, sql string) ([]byte, error) {
	return output(p.command(ctx, "psql", "-h", p.dir, "-U", "bench", "-d", "postgres", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-c", sql))
}

func (p *postgres) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(p.bin, name), args...)
	cmd.Dir = p.dir
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	if p.as != nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: p.as}
	}
	return cmd
}
