package securerow

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/stocktake/stocktake/internal/catalog/postgres"
)

// knownMasters is the setting in which a process says which master keys it has, by their
// ids. It is not compared.
const knownMasters = "master keys"

func (t *Table) masterIDs() string {
	ids := make([]string, len(t.seals))
	for i, s := range t.seals {
		ids[i] = hex.EncodeToString(s.id)
	}
	return strings.Join(ids, " ")
}

// A MasterUnknownError says which processes could not read what Rotate would write.
type MasterUnknownError struct{ Hosts []string }

func (e *MasterUnknownError) Error() string {
	return fmt.Sprintf("%s: these servers do not have the new master key yet: give each a file with the new key in the first line and the former key in the second, restart it, then try again; nothing was changed",
		strings.Join(e.Hosts, ", "))
}

// Rotate seals all documents with the first master key, in one transaction, and returns the
// names of those that were sealed with another one. rewrap, which has a function for
// documents that hold something wrapped by the master key themselves, is called for each that
// changes. It changes nothing while a process follows the documents that does not have
// the key, which is a *MasterUnknownError.
func (t *Table) Rotate(ctx context.Context, rewrap map[string]func([]byte) ([]byte, error)) (changed []string, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	first := t.seals[0]
	var made map[string]content
	err = t.db.Transact(ctx, func(ctx context.Context, tx postgres.Tx) error {
		made = map[string]content{}
		for _, name := range slices.Sorted(maps.Keys(t.rows)) { // one order of locks
			c, err := t.reseal(ctx, tx, name, first, rewrap[name])
			if err != nil {
				return err
			}
			if c != nil {
				made[name] = *c
			}
		}
		if len(made) == 0 {
			return nil
		}
		// A process that starts now waits for nothing here; without the key it cannot read
		// the rows, and ends.
		return t.allKnow(ctx, tx, hex.EncodeToString(first.id))
	})
	if err != nil {
		return nil, err
	}
	t.seal.Store(first)
	for name, c := range made {
		t.rows[name].set(c)
	}
	return slices.Sorted(maps.Keys(made)), nil
}

// reseal encrypts a row with another sealer. It returns nil if the row is encrypted
// with it already, or does not exist.
func (t *Table) reseal(ctx context.Context, tx postgres.Tx, name string, with *sealer, rewrap func([]byte) ([]byte, error)) (*content, error) {
	var sealed []byte
	var version int64
	err := tx.QueryRow(ctx, `SELECT version, content FROM documents WHERE name = $1 FOR UPDATE`, name).Scan(&version, &sealed)
	if err == pgx.ErrNoRows {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	document, by, err := t.unseal(name, version, sealed)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", t.rows[name], err)
	}
	if by == with {
		return nil, nil
	}
	if rewrap != nil {
		if document, err = rewrap(document); err != nil {
			return nil, fmt.Errorf("%s: %w", t.rows[name], err)
		}
	}
	next := content{version: version + 1, document: document, writer: t.opts.Writer}
	if _, err := tx.Exec(ctx, `UPDATE documents SET version = $2, content = $3, writer = $4, changed = $5 WHERE name = $1`,
		name, next.version, with.seal(name, next.version, document), next.writer, tx.Now); err != nil {
		return nil, err
	}
	_, err = tx.Exec(ctx, `SELECT pg_notify($1, $2)`, channel, name)
	return &next, err
}

// allKnow returns a *MasterUnknownError if a process does not have a master key.
func (t *Table) allKnow(ctx context.Context, tx postgres.Tx, id string) error {
	var without []string
	err := eachRow(ctx, tx, func(rows pgx.Rows) error {
		var host, text string
		if err := rows.Scan(&host, &text); err != nil {
			return err
		}
		var settings map[string]string
		if json.Unmarshal([]byte(text), &settings) != nil || !slices.Contains(strings.Fields(settings[knownMasters]), id) {
			without = append(without, host)
		}
		return nil
	}, `SELECT host, settings FROM document_readers WHERE id <> $1 AND seen > `+now+` - $2 ORDER BY host`, t.id, aliveFor.Microseconds())
	if err == nil && len(without) > 0 {
		err = &MasterUnknownError{without}
	}
	return err
}
