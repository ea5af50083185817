package sqlite

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"

	driver "modernc.org/sqlite"
	codes "modernc.org/sqlite/lib"

	"github.com/stocktake/stocktake/internal/object"
)

// ErrDamaged means that SQLite cannot read the database.
var ErrDamaged = errors.New("the catalog is damaged: stop the server, run stocktake store audit to see the damage, and restore catalog.db from a backup")

// maxFindings bounds the reported findings in a damaged database.
const maxFindings = 3

// Check reads the whole database at path. If thorough is true, it also compares the
// tables with their indexes, which takes several times as long. It reports damage
// as an ErrDamaged. Check changes nothing, and may be called while a server uses
// the database.
func Check(ctx context.Context, path string, thorough bool) (err error) {
	if _, err := os.Stat(path); err != nil {
		return err // opening a missing file would create it
	}
	p, err := openPool(path, url.Values{"_busy_timeout": {fmt.Sprint(busyTimeout.Milliseconds())}}, url.Values{"_query_only": {"1"}}, 1)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	pragma := "quick_check"
	if thorough {
		pragma = "integrity_check"
	}
	rows, err := p.db.QueryContext(ctx, fmt.Sprintf("PRAGMA %s(%d)", pragma, maxFindings))
	if err != nil {
		return damaged(err)
	}
	defer rows.Close()
	var findings []string
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			return damaged(err)
		}
		if text != "ok" {
			findings = append(findings, strings.ReplaceAll(text, "\n", ", "))
		}
	}
	if err := rows.Err(); err != nil {
		return damaged(err)
	}
	if len(findings) > 0 {
		return fmt.Errorf("%s: %w", strings.Join(findings, "; "), ErrDamaged)
	}
	return nil
}

// damaged converts an error of SQLite: one that means damage to an ErrDamaged, one
// that means a full disk to an object.ErrDiskFull.
func damaged(err error) error {
	if e, ok := errors.AsType[*driver.Error](err); ok {
		switch code := e.Code(); {
		case code&0xff == codes.SQLITE_CORRUPT, code&0xff == codes.SQLITE_NOTADB, code == codes.SQLITE_IOERR_READ, code == codes.SQLITE_IOERR_SHORT_READ:
			return fmt.Errorf("%w: %w", err, ErrDamaged)
		case code&0xff == codes.SQLITE_FULL:
			return fmt.Errorf("%w: %w", object.ErrDiskFull, err)
		}
	}
	return err
}
