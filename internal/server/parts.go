package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"syscall"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/bucket"
	"github.com/stocktake/stocktake/internal/datafolder"
	"github.com/stocktake/stocktake/internal/kms"
	"github.com/stocktake/stocktake/internal/lifecycle"
	"github.com/stocktake/stocktake/internal/metrics"
	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/ossapi"
	"github.com/stocktake/stocktake/internal/outbound"
	"github.com/stocktake/stocktake/internal/ram"
	"github.com/stocktake/stocktake/internal/securefile"
	"github.com/stocktake/stocktake/internal/server/listen"
	"github.com/stocktake/stocktake/internal/store"
	"github.com/stocktake/stocktake/internal/sts"
)

// open opens the parts in the order of their dependencies, and makes the
// handler from them.
func (s *Server) open(ctx context.Context) error {
	s.admin = http.NewServeMux()
	counts := metrics.New(s.log)
	if err := s.openLogs(counts); err != nil {
		return err
	}
	if err := s.openShared(ctx, counts); err != nil {
		return err
	}
	ring, err := s.openKeys()
	if err != nil {
		return err
	}
	st, err := s.openStore(ctx, ring)
	if err != nil {
		return err
	}
	access, err := s.openAccounts()
	if err != nil {
		return err
	}
	if err := s.makeBuckets(ctx, st); err != nil {
		return err
	}
	s.showBuild(counts)
	s.showStores(counts)
	buckets, err := s.registry(st, access)
	if err != nil {
		return err
	}
	service, err := s.openInventories(ctx, st.Journal(), buckets, access, ring, counts)
	if err != nil {
		return err
	}
	s.openLifecycle(st, access)
	account := s.accountOnly(access)
	s.openScrub(account, st, counts)
	s.openCheckpoints(st)
	s.watchStore(st, counts)
	s.openBackups(account, st, s.file)
	s.openAdmin(access, buckets, service, counts)
	s.handler = s.requests.count(s.traced(s.forRoles(withSTS(
		s.accessed(func(*http.Request) string { return "AssumeRole" }, sts.New(access, sts.Options{Now: s.now, Log: s.log, Audit: s.audit, Authenticated: proven})),
		s.api(st, buckets, access, service, counts)))))
	return s.openConsole(access, buckets)
}

func (s *Server) openKeys() (keyring, error) {
	opts := kms.Options{Account: s.cfg.AccountID, Log: s.log, Audit: s.audit}
	if s.shared == nil {
		keys, err := openKeys(s.folder, s.cfg.MasterKey, opts)
		if err != nil {
			return keyring{}, fmt.Errorf("open the encryption keys in %s: %w", s.folder, err)
		}
		return keyring{keys: keys}, nil
	}
	var ring keyring
	var err error
	if fileExists(s.folder.EncryptionKeys()) {
		local := opts
		if local.Master, err = localMaster(s.folder, s.cfg.MasterKey); err == nil {
			ring.former, err = kms.Open(s.folder.EncryptionKeys(), local)
		}
		if err != nil {
			return ring, fmt.Errorf("open the encryption keys in %s: %w", s.folder, err)
		}
	}
	opts.Master = s.cfg.MasterKey
	if ring.keys, err = kms.OpenIn(s.shared.Row(sharedKeys), opts); err != nil {
		return ring, fmt.Errorf("open the encryption keys in the database: %w", err)
	}
	s.shared.OnChange(ring.keys.Refresh)
	return ring, nil
}

// OpenKeys opens the encryption keys of a data folder. A nil master means the master key in the
// folder. Keys of earlier versions, which have no account, go to account; empty leaves them as they
// are. Errors: see [kms.Open].
func OpenKeys(f Folder, master []byte, account string) (*kms.Keys, error) {
	return openKeys(f, master, kms.Options{Account: account})
}

func openKeys(f Folder, master []byte, opts kms.Options) (*kms.Keys, error) {
	if err := f.Check(); err != nil {
		return nil, err
	}
	needed := []string{datafolder.EncryptionKeysName}
	if master == nil {
		needed = append(needed, datafolder.MasterKeyName)
	}
	if err := f.CheckParts(needed...); err != nil {
		return nil, err
	}
	if opts.Master = master; master == nil {
		opts.MasterFile = f.MasterKey()
	}
	return kms.Open(f.EncryptionKeys(), opts)
}

func (s *Server) openStore(ctx context.Context, ring keyring) (*store.Store, error) {
	st, err := OpenStore(ctx, s.folder, store.Options{Now: s.now, Log: s.log, CacheBytes: s.cfg.CacheSize, JournalBytes: s.cfg.JournalSize, Keys: ring})
	if err != nil {
		return nil, err
	}
	s.onClose(st.Close)
	return st, nil
}

// ErrInUse reports that another process has the data folder open.
var ErrInUse = errors.New("another server is using the folder")

// OpenStore opens the embedded store of a data folder that no other process
// uses; else the error is ErrInUse.
func OpenStore(ctx context.Context, f Folder, opts store.Options) (*store.Store, error) {
	if err := f.Check(); err != nil {
		return nil, err
	}
	st, err := store.Open(ctx, string(f), opts)
	if errors.Is(err, syscall.EAGAIN) {
		return nil, fmt.Errorf("open the store in %s: %w: stop it, or use another folder (--data)", f, ErrInUse)
	}
	if err != nil {
		return nil, fmt.Errorf("open the store in %s: %w", f, err)
	}
	return st, nil
}

func (s *Server) openAccounts() (*ram.Directory, error) {
	var storage securefile.Storage = securefile.NewFile(s.folder.Accounts(), ram.MaxSize)
	if s.shared != nil {
		storage = s.shared.Row(sharedAccounts)
	}
	access, err := ram.OpenIn(storage, s.root(), s.accountOptions())
	if err != nil {
		return nil, fmt.Errorf("open the accounts in %s: %w", storage, err)
	}
	if s.shared != nil {
		s.shared.OnChange(access.Refresh)
		s.shared.CompareSetting("access-file", func() []byte {
			sum := access.Declared()
			return sum[:]
		})
	}
	s.onReload(access.Reload)
	return access, nil
}

// makeBuckets makes the buckets of the settings.
func (s *Server) makeBuckets(ctx context.Context, st *store.Store) error {
	for _, name := range s.cfg.Buckets {
		b, err := st.Bucket(ctx, name)
		switch {
		case err == nil && b.Owner != s.cfg.AccountID:
			return fmt.Errorf("create bucket %s: it belongs to account %s", name, b.Owner)
		case errors.Is(err, stocktake.ErrNoSuchBucket):
			err = st.CreateBucket(ctx, object.ByService("server"), object.NewBucket(name, s.cfg.AccountID, s.clock.Now()), false)
		}
		if err != nil {
			return fmt.Errorf("create bucket %s: %w", name, err)
		}
	}
	return nil
}

func (s *Server) root() ram.Root {
	return ram.Root{AccessKeyID: s.key.ID, Secret: s.key.Secret, Account: s.cfg.AccountID}
}

func (s *Server) accountOptions() ram.Options {
	return ram.Options{Production: s.cfg.Production, Declared: s.cfg.AccessFile, Region: s.cfg.Region, Now: s.now, Log: s.log, Audit: s.audit}
}

// openLifecycle starts the worker of lifecycle rules. As in OSS, it runs from 00:00 UTC, when their
// days are complete.
func (s *Server) openLifecycle(st *store.Store, access *ram.Directory) {
	s.work(lifecycle.NewWorker(st, access.Accounts, lifecycle.Options{Zone: time.UTC, Clock: s.clock, Log: s.log}).Serve)
}

// api makes the handler of the OSS API.
func (s *Server) api(st *store.Store, buckets *bucket.Registry, access *ram.Directory, inventories ossapi.Inventories, counts *metrics.Metrics) http.Handler {
	var callbacks outbound.Rule
	if s.cfg.AllowCallbacks {
		callbacks = outbound.Public(s.cfg.CallbackNetworks...)
	}
	return ossapi.New(ossapi.Config{
		Buckets:         buckets,
		Store:           st,
		Inventories:     inventories,
		Access:          access,
		Region:          s.cfg.Region,
		Hosts:           s.cfg.BaseHosts,
		CNAMEs:          s.cfg.CNAMEs,
		BodyTimeout:     s.cfg.BodyTimeout,
		Callbacks:       callbacks,
		StrictVersions:  s.cfg.StrictVersions,
		RequirePassRole: s.cfg.RequirePassRole,
		Admin:           s.accessed(func(r *http.Request) string { return r.Method + " " + s.pathOf(r) }, listen.Hasty(s.admin)),
		Now:             s.now,
		Log:             s.log,
		Audit:           s.audit,
		Observer:        s.observer(counts),
	})
}
