package ram

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/stocktake/stocktake/internal/memo"
	"github.com/stocktake/stocktake/internal/securefile"
)

// A Root is an account and a key that need no file. It allows access to an empty directory.
type Root struct{ AccessKeyID, Secret, Account string }

// Options tune a [Directory]. The zero value is development mode.
type Options struct {
	// Production rejects roles that are not defined. Otherwise such a role acts with
	// the rights of its account, as long as no role is defined at all.
	Production bool

	// Declared is a YAML file of accounts, users, keys, roles and policies that the
	// directory does not change; empty: none.
	Declared string

	Region string           // of the server, such as "cn-hangzhou", for policies that name one; empty: any matches
	Now    func() time.Time // nil means time.Now
	Rand   io.Reader        // of keys and ids; nil means crypto/rand
	Log    *slog.Logger     // nil means slog.Default()
	Audit  *slog.Logger     // of changes by other processes; nil means Log
}

// A Directory has accounts with their users, roles, keys and policies. Its methods
// are safe for concurrent use. Every change is durable when its method returns nil;
// by then it is also in force for other processes with the same file.
type Directory struct {
	root Root
	opts Options

	bucketPolicies, sessionPolicies *memo.Memo[*Policy] // parsed, by document

	doc securefile.Document[state]
}

// maxCached bounds the parsed policies of each kind that are kept in memory:
// policies of the buckets and sessions in use.
const maxCached = 1024

// Open opens the directory in the file path. The first change creates the file; an
// empty path keeps the directory in memory. The files hold secrets and must be
// readable by their owner only. A Directory need not be closed.
func Open(path string, root Root, opts Options) (*Directory, error) {
	if path == "" {
		return OpenIn(new(securefile.Memory), root, opts)
	}
	return OpenIn(securefile.NewFile(path, MaxSize), root, opts)
}

// OpenIn opens the directory kept in storage, which must allow [MaxSize] bytes.
func OpenIn(storage securefile.Storage, root Root, opts Options) (*Directory, error) {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Rand == nil {
		opts.Rand = rand.Reader
	}
	if opts.Log == nil {
		opts.Log = slog.Default()
	}
	opts.Audit = cmp.Or(opts.Audit, opts.Log)
	if !validAccount(root.Account) || root.AccessKeyID != "" && (!validKeyID(root.AccessKeyID) || root.Secret == "") {
		return nil, fmt.Errorf("root key: account, access key id and secret are needed: %w", ErrInvalidName)
	}
	d := &Directory{
		root: root, opts: opts,
		bucketPolicies:  memo.New(maxCached, func(doc []byte) (*Policy, error) { return ParsePolicy(BucketPolicy, doc) }),
		sessionPolicies: memo.New(maxCached, func(doc []byte) (*Policy, error) { return ParsePolicy(IdentityPolicy, doc) }),
	}
	d.doc = securefile.Document[state]{
		Storage: storage, Parse: d.parse, Changed: d.logChanges,
		Failed: func(err error) {
			opts.Log.Error("cannot read the changed accounts, keys and roles; the former ones stay in force", "err", err)
		},
	}
	if opts.Declared != "" {
		d.doc.Also = []string{opts.Declared}
	}
	if err := d.doc.Load(); err != nil {
		return nil, err
	}
	if d.current().tokens == nil {
		// Temporary keys survive a restart only if the token key is stored.
		if err := d.update(func(f *file, _ *state) error {
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

// Reload reads the directory at once, even if it is unchanged. After an error the
// previous state stays in force.
func (d *Directory) Reload() error { return d.doc.Load() }

// Refresh reads the directory again if it has changed, as every method does, and returns an error
// if the present directory cannot be read.
func (d *Directory) Refresh() error { return d.doc.Refresh() }

// Declared returns the SHA-256 of the declared file as last read; zero: there is
// none.
func (d *Directory) Declared() [sha256.Size]byte { return d.current().declared }

// parse returns the state of the bytes of the kept file.
func (d *Directory) parse(data []byte) (*state, error) {
	f, err := d.decode(data)
	if err != nil {
		return nil, err
	}
	return d.build(f)
}

// decode reads the bytes of the kept file; nil is an empty one.
func (d *Directory) decode(data []byte) (*file, error) {
	if data == nil {
		return &file{Version: fileVersion}, nil
	}
	f, err := readJSON(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", d.doc.Storage, err)
	}
	return f, nil
}

// build returns the state of the declared and the kept file.
func (d *Directory) build(kept *file) (*state, error) {
	files := []*file{kept}
	var sum [sha256.Size]byte
	if d.opts.Declared != "" {
		b, err := securefile.Read(d.opts.Declared, MaxSize)
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
		sum = sha256.Sum256(b)
	}
	s, err := newState(d.root, files...)
	if err != nil {
		return nil, fmt.Errorf("accounts, keys and roles: %w", err)
	}
	s.declared = sum
	return s, nil
}

// update changes the kept file in one atomic step. edit gets the present file and
// its state. If edit returns an error, update returns it and changes nothing.
func (d *Directory) update(edit func(f *file, s *state) error) error {
	return d.doc.Update(func(data []byte) ([]byte, error) {
		f, err := d.decode(data)
		if err != nil {
			return nil, err
		}
		before, err := d.build(f)
		if err != nil {
			return nil, err
		}
		if err := edit(f, before); err != nil {
			return nil, err
		}
		var b bytes.Buffer
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		if err := e.Encode(f); err != nil {
			return nil, err
		}
		return b.Bytes(), nil
	})
}

// CountAccounts returns the number of accounts that have entries in the bytes of a
// directory: 0 for a directory without changes.
func CountAccounts(data []byte) (int, error) {
	f, err := readJSON(data)
	if err != nil {
		return 0, err
	}
	return len(f.Accounts), nil
}
