package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"sync"

	"github.com/stocktake/stocktake/internal/catalog/sqlite"
	"github.com/stocktake/stocktake/internal/datafolder"
	"github.com/stocktake/stocktake/internal/signature"
	"github.com/stocktake/stocktake/internal/store"
)

// BackupPath is where the account starts a backup (POST ?to=FOLDER, a folder on the server's
// machine) and reads the state of the last one (GET).
const BackupPath = "/-/backup"

// backupTarget is what a request to backupPath signs.
var backupTarget = signature.Target{Bucket: "-", Key: "backup"}

// backupReply is the state of the last backup.
type backupReply struct {
	Folder  string `json:"folder"` // empty: none was made since the start
	Running bool   `json:"running"`
	Error   string `json:"error,omitempty"` // why it failed
}

// Backups makes backups of the data folder, one at a time.
type Backups struct {
	Account
	folder string // the data folder
	store  *store.Store
	cat    *sqlite.Catalog // nil: the catalog is in a database, which has its own backups
	log    *slog.Logger

	mu    sync.Mutex
	last  backupReply
	start chan string // folders; taken by serve
}

// NewBackups returns the backups of a data folder, which serve makes. A nil cat means
// that the catalog is in a database.
func NewBackups(account Account, folder string, st *store.Store, cat *sqlite.Catalog, log *slog.Logger) *Backups {
	return &Backups{Account: account, folder: folder, store: st, cat: cat, log: log, start: make(chan string, 1)}
}

// Serve makes the requested backups until ctx ends.
func (b *Backups) Serve(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case to := <-b.start:
			err := b.make(ctx, to)
			b.mu.Lock()
			if b.last.Running = false; err != nil {
				b.last.Error = err.Error()
				b.log.Error("the backup failed", "folder", to, "err", err)
			}
			b.mu.Unlock()
		}
	}
}

var (
	errBackupPath    = errors.New("the folder of a backup must be an absolute path of the server's machine")
	errBackupExists  = errors.New("it exists already: name a folder that does not exist; a backup is never written into another one")
	errBackupWithin  = errors.New("a backup inside the data folder would be lost with it: name a folder elsewhere")
	errBackupRunning = errors.New("another backup is in progress: wait for its end")
)

func (b *Backups) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if b.refuses(w, r, backupTarget) {
		return
	}
	if r.Method == http.MethodPost {
		switch err := b.begin(r.URL.Query().Get("to")); {
		case errors.Is(err, errBackupWithin):
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		case err != nil:
			http.Error(w, err.Error(), http.StatusConflict)
			return
		}
		b.audited(r, "backup started", "folder", r.URL.Query().Get("to"))
	}
	b.mu.Lock()
	reply := b.last
	b.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(reply) // the client may have left
}

func (b *Backups) begin(to string) error {
	if !filepath.IsAbs(to) {
		return fmt.Errorf("%.200q: %w", to, errBackupPath)
	}
	switch _, err := os.Lstat(to); {
	case err == nil:
		return fmt.Errorf("%.200q: %w", to, errBackupExists)
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	within, err := datafolder.Contains(b.folder, to)
	switch {
	case err != nil:
		return err
	case within:
		return errBackupWithin
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.last.Running {
		return errBackupRunning
	}
	b.last = backupReply{Folder: to, Running: true}
	b.start <- to
	return nil
}

// make copies each part of the data folder as its kind requires. The copy gets its final name when
// it is complete.
func (b *Backups) make(ctx context.Context, to string) (err error) {
	partial := to + ".partial"
	switch err := os.Mkdir(partial, 0o700); {
	case errors.Is(err, fs.ErrExist):
		return fmt.Errorf("%s is the rest of an interrupted backup: remove it, or name another folder", partial)
	case err != nil:
		return fmt.Errorf("make the folder of the backup: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(partial))
		}
	}()
	for _, p := range datafolder.Parts() {
		target := filepath.Join(partial, p.Name)
		switch p.Kind {
		case datafolder.Index:
			err = b.store.Backup(ctx, partial)
		case datafolder.Blobs: // comes with the index
		case datafolder.Database:
			if b.cat != nil {
				err = b.cat.Backup(ctx, target)
			}
		default:
			err = copySmall(filepath.Join(b.folder, p.Name), target)
		}
		if err != nil {
			return err
		}
	}
	if err := copySmall(filepath.Join(b.folder, datafolder.FileName), filepath.Join(partial, datafolder.FileName)); err != nil {
		return err
	}
	for _, dir := range []string{partial, filepath.Dir(partial)} {
		if dir != partial {
			if err := os.Rename(partial, to); err != nil {
				return err
			}
		}
		if err := syncFolder(dir); err != nil {
			return err
		}
	}
	return nil
}

// copySmall copies a file that is always replaced as a whole. It skips a missing one.
func copySmall(from, to string) error {
	data, err := os.ReadFile(from)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	f, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Sync(), f.Close())
}

func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
