package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/stocktake/stocktake/internal/catalog/postgres"
	"github.com/stocktake/stocktake/internal/catalog/relational"
	"github.com/stocktake/stocktake/internal/catalog/sqlite"
	"github.com/stocktake/stocktake/internal/inventory"
)

// A catalog has the methods of a catalog that the server uses, in a file or in a database.
type catalog interface {
	inventory.Catalog
	inventory.NoticeCatalog
	inventory.StrayCatalog
	inventory.FigureCatalog

	Stats() relational.Stats
	Size(ctx context.Context) (int64, error)
	CountNotices(ctx context.Context) (waiting, dead int64, err error)
	Close() error
}

// openCatalog opens the catalog in the database of the settings, or else in the
// data folder.
func (s *Server) openCatalog(ctx context.Context) (catalog, error) {
	if s.sharedCatalog != nil {
		return s.sharedCatalog, nil
	}
	cat, err := sqlite.Open(ctx, s.folder.Catalog())
	if err != nil {
		return nil, fmt.Errorf("open the catalog in %s: %w", s.folder, err)
	}
	s.onClose(cat.Close)
	s.file = cat
	return cat, nil
}

// databasePatience is how long a readiness check waits for the database.
const databasePatience = 2 * time.Second

// listening is how many connections of a server only listen: for changes of accounts
// and keys, for the ends of runs that it leads, for shares of stores, and for jobs of
// River.
const listening = 4

func (s *Server) openDatabase(ctx context.Context) (catalog, error) {
	if s.cfg.Migrate {
		if err := Migrate(ctx, s.cfg.Database, s.log); err != nil {
			return nil, err
		}
	}
	cfg, err := postgres.Parse(s.cfg.Database)
	if err != nil {
		return nil, &SettingError{"database", err}
	}
	warnings, err := postgres.Fit(ctx, cfg, listening)
	if err != nil {
		return nil, err
	}
	for _, w := range warnings {
		s.log.Warn("the database may run out of connections", "reason", w)
	}
	cat, err := postgres.Open(ctx, cfg)
	if err != nil {
		return nil, err
	}
	s.onClose(cat.Close)
	s.database = cat.Database()
	s.log.Info("configurations and runs are in a database that other processes may share", "database", s.database.Name())
	s.readyIf(func() error {
		ctx, cancel := context.WithTimeout(context.Background(), databasePatience)
		defer cancel()
		err := s.database.Writable(ctx)
		if err != nil && !errors.Is(err, postgres.ErrReadOnly) {
			err = errors.New("the database does not answer")
		}
		return errors.Join(err, s.database.Refused())
	})
	s.work(s.watchTables)
	s.mentions = append(s.mentions, func() error {
		if remark := s.tablesRemark.Load(); remark != nil && *remark != "" {
			return errors.New(*remark)
		}
		return nil
	})
	return cat, nil
}

// tablesPoll is how often a server checks that the tables of the database are still those that it
// knows.
const tablesPoll = 10 * time.Second

// watchTables follows the version of the tables until ctx ends. It returns an error if this version
// cannot work with them any more, which ends the server before it does harm.
func (s *Server) watchTables(ctx context.Context) error {
	for {
		remark, err := s.database.CheckTables(ctx)
		switch {
		case errors.Is(err, postgres.ErrOutdated), errors.Is(err, postgres.ErrOlder):
			return fmt.Errorf("the database %s: %w", s.database.Name(), err)
		case err != nil: // others report that the database does not answer
		default:
			if was := s.tablesRemark.Swap(&remark); remark != "" && (was == nil || *was != remark) {
				s.log.Warn(remark)
			}
		}
		select {
		case <-time.After(tablesPoll):
		case <-ctx.Done():
			return nil
		}
	}
}

// Migrate brings the tables of a database up to date. Errors: a *SettingError for
// an illegal address, and those of [postgres.Migrate].
func Migrate(ctx context.Context, address string, log *slog.Logger) error {
	cfg, err := postgres.Parse(address)
	if err != nil {
		return &SettingError{"database", err}
	}
	return postgres.Migrate(ctx, cfg, log)
}

// CheckDatabase returns nil if this version can use the tables of a database as
// they are. It logs which running servers are of an earlier version. Errors: a *SettingError, and those of [postgres.Open].
func CheckDatabase(ctx context.Context, address string, log *slog.Logger) error {
	cfg, err := postgres.Parse(address)
	if err != nil {
		return &SettingError{"database", err}
	}
	if err := postgres.WarnOlder(ctx, cfg, log); err != nil {
		return err
	}
	cat, err := postgres.Open(ctx, cfg)
	if err != nil {
		return err
	}
	return cat.Close()
}
