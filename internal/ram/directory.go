package ram

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stocktake/stocktake/internal/securefile"
)

// A Root is an account and a key of it that needs no file: the way into an
// empty directory.
type Root struct{ AccessKeyID, Secret, Account string }

// Options tune a [Directory]. The zero value is development mode.
type Options struct {
	// Production refuses a role that nobody defined. Otherwise such a role acts
	// with the rights of its account, as long as no role is defined at all.
	Production bool

	// Declared is a YAML file of accounts, users, keys, roles and policies that
	// are taken as they stand there; empty: none.
	Declared string

	Region string           // of the server, such as "cn-hangzhou", for policies that name one; empty: any fits
	Now    func() time.Time // nil means time.Now
	Rand   io.Reader        // of keys and ids; nil means crypto/rand
	Log    *slog.Logger     // nil means slog.Default()
}

// A Directory knows accounts and what belongs to them. Its methods may be used
// by many goroutines. Every change is durable when its method returns nil; other
// processes with the same file see it within a second or two.
type Directory struct {
	path     string // empty: in memory
	root     Root
	opts     Options
	policies policyCache // of buckets and sessions

	state atomic.Pointer[state]

	mu     sync.Mutex // reloading and changing
	memory []byte     // the file, where path is empty
	watch  *securefile.Watch

	replace func(path string, data []byte) error // tests fail it
}

// Open opens the directory kept in the file path, which is made with the first
// change; an empty path keeps it in memory. The files hold secrets and must be
// readable by their owner only. There is nothing to close.
func Open(path string, root Root, opts Options) (*Directory, error) {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Rand == nil {
		opts.Rand = rand.Reader
	}
	if opts.Log == nil {
		opts.Log = slog.Default()
	}
	if !validAccount(root.Account) || root.AccessKeyID != "" && (!validKeyID(root.AccessKeyID) || root.Secret == "") {
		return nil, fmt.Errorf("root key: account, access key id and secret are needed: %w", ErrInvalidName)
	}
	d := &Directory{path: path, root: root, opts: opts, watch: securefile.NewWatch(path, opts.Declared), replace: securefile.Replace}
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.reload(); err != nil {
		return nil, err
	}
	if d.state.Load().tokens == nil {
		// Temporary keys outlive a restart only with a key that is kept.
		if err := d.change(func(f *file, _ *state) error {
			if len(f.TokenKey) > 0 {
				return nil
			}
			f.TokenKey = make([]byte, 32)
			_, err := io.ReadFull(opts.Rand, f.TokenKey)
			return err
		}); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// current is the state, re-read if a file has changed since.
func (d *Directory) current() *state {
	if d.watch.Due() && d.mu.TryLock() {
		defer d.mu.Unlock()
		if now := d.watch.Stat(); d.watch.Changed(now) {
			if err := d.reload(); err != nil {
				d.watch.Failed(now)
				d.opts.Log.Error("accounts, keys and roles changed on disk and cannot be read; what was read before stays in force", "err", err)
			}
		}
	}
	return d.state.Load()
}

// Reload reads the files at once, changed or not. After an error what was read
// before stays in force.
func (d *Directory) Reload() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.reload()
}

// reload reads the files. The caller holds d.mu.
func (d *Directory) reload() error {
	now := d.watch.Stat() // before reading: what changes meanwhile is read again
	kept, err := d.read()
	if err != nil {
		return err
	}
	s, err := d.build(kept)
	if err != nil {
		return err
	}
	d.state.Store(s)
	d.watch.Read(now)
	return nil
}

// build makes the state of what is declared and kept.
func (d *Directory) build(kept *file) (*state, error) {
	files := []*file{kept}
	if d.opts.Declared != "" {
		b, err := securefile.Read(d.opts.Declared, maxFile)
		if err != nil {
			return nil, err
		}
		declared, err := readYAML(b)
		if err == nil {
			err = d.identify(declared)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", d.opts.Declared, err)
		}
		files = []*file{declared, kept}
	}
	s, err := newState(d.root, files...)
	if err != nil {
		return nil, fmt.Errorf("accounts, keys and roles: %w", err)
	}
	return s, nil
}

// read reads the kept file. None is an empty one.
func (d *Directory) read() (*file, error) {
	b := d.memory
	if d.path != "" {
		var err error
		b, err = securefile.Read(d.path, maxFile)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	if b == nil {
		return &file{Version: fileVersion}, nil
	}
	f, err := readJSON(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", d.path, err)
	}
	return f, nil
}

// update changes the kept file in one atomic step. edit sees it as it is on
// disk now, and the state that it makes; its error is returned and changes
// nothing.
func (d *Directory) update(edit func(f *file, s *state) error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.change(edit)
}

// change is update for a caller that holds d.mu.
func (d *Directory) change(edit func(f *file, s *state) error) (err error) {
	if d.path != "" {
		unlock, lockErr := securefile.Lock(d.path)
		if lockErr != nil {
			return lockErr
		}
		defer func() { err = errors.Join(err, unlock()) }()
	}
	f, err := d.read()
	if err != nil {
		return err
	}
	before, err := d.build(f)
	if err != nil {
		return err
	}
	if err := edit(f, before); err != nil {
		return err
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(f); err != nil {
		return err
	}
	// Read it back: what is in force is what is on disk.
	f, err = readJSON(b.Bytes())
	if err != nil {
		return err
	}
	s, err := d.build(f)
	if err != nil {
		return err
	}
	if d.path == "" {
		d.memory = b.Bytes()
	} else if err := d.replace(d.path, b.Bytes()); err != nil {
		return err
	}
	now := d.watch.Stat()
	d.state.Store(s)
	d.watch.Read(now)
	return nil
}
