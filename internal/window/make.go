package window

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/engine"
	"github.com/stocktake/stocktake/internal/journal"
	"github.com/stocktake/stocktake/report"
	"github.com/stocktake/stocktake/report/csvtext"
)

// A maker makes one window.
type maker struct {
	journal Journal
	dst     engine.Destination
	job     Job
	opts    Options
	log     *slog.Logger
	at      report.Location
	name    string // prefix of the file names, before their number

	dir     string // the window's, claimed by place
	w       *report.ChangeWriter
	file    engine.File // the current file; nil: none
	key     string      // of the current file
	created []string    // files of this attempt; nil once they belong to the report
	summary stocktake.Summary
}

func newMaker(j Journal, dst engine.Destination, job Job, opts Options) (*maker, error) {
	if opts.Progress == nil {
		opts.Progress = new(Progress)
	}
	m := &maker{
		journal: j, dst: dst, job: job, opts: opts,
		log: cmp.Or(opts.Log, slog.Default()).With("bucket", job.Bucket, "configuration", job.Configuration.ID, "run", job.Run, "window", job.Start),
		at:  report.Location{Prefix: job.Configuration.Destination.Prefix, Bucket: job.Bucket, Configuration: job.Configuration.ID},
	}
	run := sha256.Sum256([]byte("window\x00" + job.Run))
	attempt := sha256.Sum256(fmt.Appendf(nil, "window\x00%s\x00%d", job.Run, job.Attempt))
	m.name = fmt.Sprintf("%x_%x_", run[:16], attempt[:16])
	var err error
	m.w, err = report.NewChangeWriter(job.Bucket, job.Configuration.IncrementalColumns(), opts.Limits)
	return m, err
}

func (m *maker) step(s Step) {
	if m.opts.Failpoint != nil {
		m.opts.Failpoint(s)
	}
}

func (m *maker) make(ctx context.Context) (Result, error) {
	if len(m.job.Recorded) > 0 {
		return m.publishRecorded(ctx)
	}
	after, gaps, err := m.begin(ctx)
	if err != nil {
		return Result{}, err
	}
	until, err := m.journal.Cut(ctx, m.job.Bucket, m.job.End.UnixMilli())
	if err != nil {
		return Result{}, fmt.Errorf("cut the journal: %w", err)
	}
	// A reader may begin after the last change of the journal: at the present number
	// of its store.
	until.Sequence = max(until.Sequence, after.Sequence)
	m.step(CutDone)
	published, err := m.chooseDirectory(ctx, until)
	if err != nil {
		return Result{}, err
	}
	if published != nil {
		return m.result(ctx, published)
	}
	if err := m.read(ctx, after, until, gaps); err != nil {
		return Result{}, errors.Join(err, m.undo(ctx))
	}
	result, err := m.publish(ctx, until)
	if err != nil {
		return Result{}, errors.Join(err, m.undo(ctx))
	}
	return result, nil
}

// begin returns the position from which the journal is read. The reader exists
// since the configuration was put, and is not ahead of the catalog, unless one of
// them was restored from a backup. Then the changes in between are lost, and the
// report states the gap.
func (m *maker) begin(ctx context.Context) (after stocktake.JournalPosition, gaps []stocktake.JournalGap, err error) {
	at, err := m.journal.Subscribe(ctx, m.job.Bucket, m.job.reader(), m.job.Configuration.Filter.Prefix)
	if err != nil {
		return at, nil, fmt.Errorf("find the reader of the journal: %w", err)
	}
	if at.Sequence <= m.job.After.Sequence {
		return m.job.After, nil, nil
	}
	m.log.Warn("the journal no longer has the changes that the window begins with", "after_sequence", m.job.After.Sequence, "until_sequence", at.Sequence)
	return at, []stocktake.JournalGap{{After: m.job.After.Sequence, Until: at.Sequence}}, nil
}

// chooseDirectory returns the directory of the window: that of its start or, if another window has a report
// there, that of the next free second. Only a clock that went back, or a configuration that was put
// again, can cause this. It removes the files of lost attempts, and returns the publication if this
// window was already published.
func (m *maker) chooseDirectory(ctx context.Context, until stocktake.JournalPosition) (*publication, error) {
	for start := m.job.Start; ; start = start.Add(time.Second) {
		dir := m.at.Window(start)
		manifest, err := m.get(ctx, dir+report.ManifestName)
		if errors.Is(err, fs.ErrNotExist) {
			m.dir = dir
			stray, err := m.strays(ctx)
			if err == nil {
				err = engine.Remove(ctx, m.dst, stray)
			}
			return nil, err
		}
		if err != nil {
			return nil, err
		}
		if p := m.publishedIn(ctx, dir, manifest, until); p != nil {
			m.log.Info("the window has been published already", "manifest", dir+report.ManifestName)
			return p, nil
		}
		if !start.Before(m.job.End) {
			return nil, fmt.Errorf("%s: %w: the folders of the window have reports of other windows", dir, fs.ErrExist)
		}
	}
}

// publishedIn returns the publication in a directory if it is of this window.
func (m *maker) publishedIn(ctx context.Context, dir string, manifest []byte, until stocktake.JournalPosition) *publication {
	raw, err := m.get(ctx, dir+report.SummaryName)
	if err != nil {
		return nil
	}
	var s stocktake.Summary
	if json.Unmarshal(raw, &s) != nil || s.Window == nil || s.Bucket != m.job.Bucket || s.Configuration != m.job.Configuration.ID {
		return nil
	}
	if *s.Window != (stocktake.SummaryWindow{After: m.job.Joined, Until: until, Subscribed: m.job.Subscribed}) {
		return nil
	}
	return &publication{Directory: dir, Manifest: manifest, Summary: raw}
}

// strays returns the files with rows in the window's directory. Call it only for a
// directory without a manifest, whose files no manifest names.
func (m *maker) strays(ctx context.Context) (keys []string, err error) {
	dir := cmp.Or(m.dir, m.at.Window(m.job.Start))
	if m.dir == "" {
		if _, err := m.get(ctx, dir+report.ManifestName); !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	for key, err := range m.dst.List(ctx, dir) {
		if err != nil {
			return nil, fmt.Errorf("list %s: %w", dir, err)
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// read writes the changes that the configuration selects.
func (m *maker) read(ctx context.Context, after, until stocktake.JournalPosition, gaps []stocktake.JournalGap) error {
	sel, p := newSelector(m.job.Bucket, &m.job.Configuration, m.at), m.opts.Progress
	var row stocktake.ChangedRecord
	lost, err := m.journal.Changes(ctx, m.job.Bucket, m.job.Configuration.Filter.Prefix, after, until, func(batch []journal.Change) error {
		for i := range batch {
			c := &batch[i]
			if !sel.selects(c) {
				continue
			}
			fillRow(&row, c)
			if err := m.write(ctx, &row); err != nil {
				return err
			}
			m.summary.Matched++
			if row.RecordType != stocktake.RecordDelete {
				m.summary.Bytes += row.Size
			}
		}
		m.summary.Listed += int64(len(batch))
		p.read.Store(m.summary.Listed)
		p.matched.Store(m.summary.Matched)
		p.bytes.Store(m.summary.Bytes)
		return nil
	})
	if err != nil {
		return fmt.Errorf("read the journal: %w", err)
	}
	for _, g := range lost {
		gaps = append(gaps, stocktake.JournalGap{After: g.First.Sequence - 1, Until: g.Last.Sequence, Changes: int64(g.Changes)})
	}
	m.gaps(gaps)
	return m.endFile(ctx)
}

func (m *maker) gaps(gaps []stocktake.JournalGap) {
	m.summary.Gaps = gaps
	for _, g := range gaps {
		m.log.Error("changes lost: the journal was full and dropped them before they were reported", "after_sequence", g.After, "until_sequence", g.Until, "changes", g.Changes)
	}
}

// write adds a row to the current file, or to the next one.
func (m *maker) write(ctx context.Context, row *stocktake.ChangedRecord) (err error) {
	if m.file == nil {
		m.key = fmt.Sprintf("%sdata/%s%d.csv", m.dir, m.name, len(m.summary.Files))
		m.created = append(m.created, m.key)
		m.file, err = m.dst.Create(ctx, m.key, engine.FileOptions{
			ContentType: csvtext.Format.ContentType(), Encryption: m.job.Configuration.Destination.Encryption,
		})
		if err != nil {
			return fmt.Errorf("create %s: %w", m.key, err)
		}
		m.w.Begin(m.file)
	}
	if err := m.w.Write(row); err != nil {
		return fmt.Errorf("write %s: %w", m.key, err)
	}
	if m.w.Full() {
		return m.endFile(ctx)
	}
	return nil
}

// endFile ends the current file, if there is one.
func (m *maker) endFile(ctx context.Context) error {
	if m.file == nil {
		return nil
	}
	shard, err := m.w.End()
	if err == nil {
		err = m.file.Commit(ctx, shard.Sum)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", m.key, err)
	}
	m.file, shard.Key = nil, m.key
	m.summary.Files = append(m.summary.Files, shard.SummaryFile)
	m.opts.Progress.files.Add(1)
	m.opts.Progress.written.Add(shard.Size)
	m.step(FileDone)
	return nil
}

// cleanupTimeout bounds the removal of files, which continues after the context
// has ended.
const cleanupTimeout = 2 * time.Minute

// undo removes the files of this attempt, unless they belong to the report.
func (m *maker) undo(ctx context.Context) error {
	m.w.Drop()
	if m.file != nil {
		_ = m.file.Abort() // the first error says more
		m.file = nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTimeout)
	defer cancel()
	if err := engine.Remove(ctx, m.dst, m.created); err != nil {
		return fmt.Errorf("files remain: %w", err)
	}
	return nil
}

// get reads a small file.
func (m *maker) get(ctx context.Context, key string) ([]byte, error) {
	f, err := m.dst.Open(ctx, key)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", key, err)
	}
	var b bytes.Buffer
	_, err = b.ReadFrom(&limited{f, stocktake.MaxManifestSize})
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("read %s: %w", key, err)
	}
	return b.Bytes(), nil
}
