package server

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/bucket"
	"github.com/stocktake/stocktake/internal/foreign"
	"github.com/stocktake/stocktake/internal/securefile"
	"github.com/stocktake/stocktake/internal/store"
)

// checkStores opens the stores in the settings. It reads their credentials and certificates and
// contacts no other machine. Credentials are read again when their files change, certificates at
// the next start.
func (s *Server) checkStores() error {
	s.stores = nil
	for _, entry := range s.cfg.Stores {
		st, err := foreign.Open(entry, s.log)
		if err != nil {
			if entry.Line > 0 {
				err = &foreign.LineError{Line: entry.Line, Err: err}
			}
			return &SettingError{"stores", err}
		}
		s.stores = append(s.stores, st)
	}
	return nil
}

// registry returns the registry of the buckets in all stores. A bucket that exists in the embedded
// store and is claimed by another store is an error.
func (s *Server) registry(st *store.Store, access bucket.Access) (*bucket.Registry, error) {
	opts := bucket.Options{Region: s.cfg.Region, Access: access, Account: DefaultAccount, Now: s.now}
	for _, named := range s.stores {
		entry := named.Settings()
		opts.Stores = append(opts.Stores, bucket.Store{
			Name: entry.Name, Endpoint: named.URL(), Account: cmp.Or(entry.Account, s.cfg.AccountID), Region: cmp.Or(entry.Region, s.cfg.Region),
			S3: entry.Kind == foreign.S3, CrossRegion: entry.CrossRegion, Service: named,
		})
	}
	var err error
	if opts.RemovedStore, err = s.formerClaims(); err != nil {
		return nil, err
	}
	buckets := bucket.New(st, opts)
	if err := buckets.CheckEmbedded(st.BucketNames()); err != nil {
		return nil, &SettingError{"stores", err}
	}
	return buckets, s.keepClaims()
}

// A claim is an entry of stores.json: the buckets that a store in the settings has claimed.
type claim struct {
	Name    string            `json:"name"`
	Buckets []string          `json:"buckets,omitempty"`
	Aliases map[string]string `json:"aliases,omitempty"`
}

type claimsFile struct {
	Stores []claim `json:"stores"`
}

// maxClaims bounds stores.json, in bytes.
const maxClaims = 1 << 20

func (s *Server) readClaims() (f claimsFile, err error) {
	b, err := securefile.Read(s.folder.Stores(), maxClaims)
	if errors.Is(err, fs.ErrNotExist) {
		return f, nil
	}
	if err == nil {
		err = json.Unmarshal(b, &f)
	}
	if err != nil {
		return f, fmt.Errorf("read %s: %w", s.folder.Stores(), err)
	}
	return f, nil
}

// formerClaims returns the store in earlier settings that claimed a bucket. The configurations of
// such buckets are kept while a store is missing from the settings.
func (s *Server) formerClaims() (func(name string) (string, bool), error) {
	f, err := s.readClaims()
	if err != nil || len(f.Stores) == 0 {
		return nil, err
	}
	return func(name string) (string, bool) {
		for _, c := range f.Stores {
			entry := foreign.Settings{Buckets: c.Buckets, Aliases: c.Aliases}
			if entry.Claims(name) {
				return c.Name, true
			}
		}
		return "", false
	}, nil
}

// keepClaims adds the claims in the settings to those in stores.json.
func (s *Server) keepClaims() error {
	if len(s.cfg.Stores) == 0 {
		return nil
	}
	f, err := s.readClaims()
	if err != nil {
		return err
	}
	changed := false
	for _, entry := range s.cfg.Stores {
		i := slices.IndexFunc(f.Stores, func(c claim) bool { return c.Name == entry.Name })
		if i < 0 {
			i = len(f.Stores)
			f.Stores = append(f.Stores, claim{Name: entry.Name})
		}
		c := &f.Stores[i]
		for _, p := range entry.Buckets {
			if !slices.Contains(c.Buckets, p) {
				c.Buckets, changed = append(c.Buckets, p), true
			}
		}
		for here, there := range entry.Aliases {
			if _, ok := c.Aliases[here]; ok {
				continue
			}
			if c.Aliases == nil {
				c.Aliases = map[string]string{}
			}
			c.Aliases[here], changed = there, true
		}
	}
	if !changed {
		return nil
	}
	b, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return err
	}
	return securefile.Replace(s.folder.Stores(), append(b, '\n'))
}

// encrypts checks whether reports can be encrypted as a configuration asks. A named store decides
// for its buckets.
func encrypts(buckets *bucket.Registry, ring keyring) func(context.Context, string, *stocktake.InventoryConfiguration) error {
	return func(ctx context.Context, source string, cfg *stocktake.InventoryConfiguration) error {
		dst := &cfg.Destination
		if buckets.StoreOf(dst.Bucket) == "" {
			return ring.encrypts(dst.AccountID, dst.Encryption)
		}
		err := buckets.Encrypts(ctx, source, cfg)
		if errors.Is(err, foreign.ErrNoEncryption) {
			return &stocktake.InvalidArgumentError{Element: "Destination/OSSBucketDestination/Encryption", Reason: err.Error()}
		}
		return err
	}
}
