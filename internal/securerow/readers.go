package securerow

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stocktake/stocktake/internal/catalog/postgres"
)

// Times of the table of those who read.
const (
	reportEvery = 5 * time.Second
	aliveFor    = 20 * time.Second // a process that has not reported for so long is not there
	forgetAfter = 10 * time.Minute
)

// lastReport is the last report of a connection.
type lastReport struct {
	at   time.Time
	text string // versions and settings
}

// CompareSetting registers a setting that should be the same in all processes. value is called
// every few seconds; of what it returns only a digest reaches the database. It must not
// be called after Serve.
func (t *Table) CompareSetting(setting string, value func() []byte) { t.settings[setting] = value }

// Differences returns in words which settings differ from those of other processes;
// empty: none.
func (t *Table) Differences() string {
	if d := t.differences.Load(); d != nil {
		return *d
	}
	return ""
}

// now is the database's time in microseconds.
const now = `(extract(epoch FROM clock_timestamp()) * 1000000)::bigint`

// report publishes the versions in force here and reads the settings of the others. It does nothing
// if nothing has changed.
func (t *Table) report(ctx context.Context, conn *pgx.Conn, last *lastReport, inForce bool) error {
	if !inForce {
		return nil
	}
	versions := map[string]int64{}
	for name, r := range t.rows {
		versions[name] = r.Version()
	}
	due := time.Since(last.at) >= reportEvery
	v, err := json.Marshal(versions)
	if err != nil {
		return err
	}
	if !due && string(v) == last.text {
		return nil
	}
	digests := map[string]string{}
	for name, value := range t.settings {
		digests[name] = t.seal.Load().digest([]byte(name), value())
	}
	settings := maps.Clone(digests)
	settings[knownMasters] = t.masterIDs()
	d, err := json.Marshal(settings)
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, `INSERT INTO document_readers (id, host, settings, versions, seen) VALUES ($1, $2, $3, $4, `+now+`)
		ON CONFLICT (id) DO UPDATE SET settings = excluded.settings, versions = excluded.versions, seen = excluded.seen`,
		t.id, t.opts.Host, string(d), string(v))
	if err != nil {
		return err
	}
	if due {
		if err := t.compareSettings(ctx, conn, digests); err != nil {
			return err
		}
	}
	*last = lastReport{time.Now(), string(v)}
	return nil
}

// compareSettings compares settings with those of the others, and removes processes that ended long ago.
func (t *Table) compareSettings(ctx context.Context, conn *pgx.Conn, mine map[string]string) error {
	if _, err := conn.Exec(ctx, `DELETE FROM document_readers WHERE seen < `+now+` - $1`, forgetAfter.Microseconds()); err != nil {
		return err
	}
	differ := map[string]map[string]bool{} // hosts by setting
	err := eachRow(ctx, conn, func(rows pgx.Rows) error {
		var host, text string
		if err := rows.Scan(&host, &text); err != nil {
			return err
		}
		var theirs map[string]string
		if json.Unmarshal([]byte(text), &theirs) != nil {
			return nil // of another version
		}
		for name, digest := range mine {
			if their, ok := theirs[name]; ok && their != digest {
				if differ[name] == nil {
					differ[name] = map[string]bool{}
				}
				differ[name][host] = true
			}
		}
		return nil
	}, `SELECT host, settings FROM document_readers WHERE id <> $1 AND seen > `+now+` - $2`, t.id, aliveFor.Microseconds())
	if err != nil {
		return err
	}
	var list []string
	for _, name := range slices.Sorted(maps.Keys(differ)) {
		list = append(list, fmt.Sprintf("%s differs from that of %s", name, strings.Join(slices.Sorted(maps.Keys(differ[name])), ", ")))
	}
	text := strings.Join(list, "; ")
	if text != t.Differences() && text != "" {
		t.opts.Log.Warn("servers on one database have different settings and answer requests differently", "settings", text)
	}
	t.differences.Store(&text)
	return nil
}

// Join makes the process one of those that AwaitReaders waits for, with everything in force that
// was changed before it returns. Call it before the process answers its first request; Serve keeps
// the entry. Errors are those of the database and of the functions that apply changes.
func (t *Table) Join(ctx context.Context) (err error) {
	conn, err := t.db.Connect(ctx, answerWithin)
	if err != nil {
		return t.db.Explain(err)
	}
	defer postgres.Disconnect(ctx, conn, answerWithin)
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	t.joined.Store(true)
	var reported lastReport
	for range 2 { // what is changed before others know of this process is read the second time
		if err := t.read(ctx, conn); err != nil {
			return t.db.Explain(err)
		}
		if err := t.apply(); err != nil {
			return err
		}
		if err := t.report(ctx, conn, &reported, true); err != nil {
			return t.db.Explain(err)
		}
	}
	return nil
}

// Leave removes the process from the table of readers, unless this is done. If it fails, the others
// remove the entry later.
func (t *Table) Leave() {
	if !t.joined.Swap(false) {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), answerWithin)
	defer cancel()
	_, _ = t.db.Pool().Exec(ctx, `DELETE FROM document_readers WHERE id = $1`, t.id)
}

// Behind returns the names of the processes that do not have the newest version of a
// document in force that this process knows, and how many there are at all.
func (t *Table) Behind(ctx context.Context, document string) (behind []string, all int, err error) {
	want := t.Row(document).Version()
	err = eachRow(ctx, t.db.Pool(), func(rows pgx.Rows) error {
		var host, text string
		if err := rows.Scan(&host, &text); err != nil {
			return err
		}
		all++
		var versions map[string]int64
		if json.Unmarshal([]byte(text), &versions) != nil || versions[document] < want {
			behind = append(behind, host)
		}
		return nil
	}, `SELECT host, versions FROM document_readers WHERE seen > `+now+` - $1 ORDER BY host`, aliveFor.Microseconds())
	if err != nil {
		return nil, 0, t.db.Explain(err)
	}
	return behind, all, nil
}

// AwaitReaders waits until all processes have the newest version of a document in force,
// for so long at most, and returns the names of those that do not.
func (t *Table) AwaitReaders(ctx context.Context, document string, within time.Duration) (behind []string, err error) {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	for {
		list, _, err := t.Behind(ctx, document)
		if err == nil {
			behind = list
		}
		if err == nil && len(list) == 0 {
			return nil, nil
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			if err != nil && behind == nil { // it was never answered
				return nil, err
			}
			return behind, nil
		}
	}
}
