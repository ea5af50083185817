package window

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/engine"
	"github.com/stocktake/stocktake/internal/journal"
	"github.com/stocktake/stocktake/report"
	"github.com/stocktake/stocktake/report/csvtext"
)

// A publication is the report of a window, recorded before any of its files is visible.
type publication struct {
	Directory string `json:"directory"` // prefix of its files
	Manifest  []byte `json:"manifest"`  // manifest.json
	Summary   []byte `json:"summary"`   // manifest.summary
}

// publish records the report and writes it.
func (m *maker) publish(ctx context.Context, until stocktake.JournalPosition) (Result, error) {
	s := &m.summary
	s.Version, s.Bucket, s.Configuration, s.Run = stocktake.SummaryVersion, m.job.Bucket, m.job.Configuration.ID, m.job.Run
	s.Consistency, s.Start, s.End = stocktake.ConsistencySnapshot, m.job.Start.UTC(), m.job.End.UTC()
	s.Window = &stocktake.SummaryWindow{After: m.job.Joined, Until: until, Subscribed: m.job.Subscribed}
	s.Classes = []stocktake.ClassTotal{}
	if s.Files == nil {
		s.Files = []stocktake.SummaryFile{}
	}
	if s.Matched == 0 && len(s.Gaps) == 0 && !m.opts.EmptyManifest {
		next, err := m.next(ctx, until)
		return Result{Summary: *s, Until: until, Next: next}, err
	}
	p, err := m.documents()
	if err != nil {
		return Result{}, err
	}
	if m.opts.Record == nil {
		m.created = nil
		return m.makeVisible(ctx, p)
	}
	mine, err := json.Marshal(p)
	if err != nil {
		return Result{}, err
	}
	kept, err := m.opts.Record(ctx, mine)
	if err != nil {
		return Result{}, err
	}
	m.created = nil
	m.step(Recorded)
	if !bytes.Equal(kept, mine) {
		m.job.Recorded = kept
		return m.publishRecorded(ctx)
	}
	return m.makeVisible(ctx, p)
}

func (m *maker) documents() (*publication, error) {
	s, cfg := &m.summary, &m.job.Configuration
	manifest := stocktake.Manifest{
		StartTimestamp: s.Start.Unix(), EndTimestamp: s.End.Unix(), DestinationBucket: cfg.Destination.Bucket,
		FileFormat: csvtext.Format.Name(), FileSchema: stocktake.FileSchema(cfg.IncrementalColumns()),
		SourceBucket: m.job.Bucket, Version: stocktake.ManifestVersionIncremental, Gaps: s.Gaps,
	}
	for _, f := range s.Files {
		manifest.Files = append(manifest.Files, stocktake.ManifestFile{MD5: f.MD5, Key: f.Key, Size: f.Size})
	}
	summary, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	return &publication{Directory: m.dir, Manifest: manifest.AppendJSON(nil), Summary: summary}, nil
}

// publishRecorded publishes the recorded report unchanged. It also calls Record, since another
// process may have taken the run.
func (m *maker) publishRecorded(ctx context.Context) (Result, error) {
	var p publication
	if err := json.Unmarshal(m.job.Recorded, &p); err != nil {
		return Result{}, fmt.Errorf("the recorded report: %w", err)
	}
	if m.opts.Record != nil {
		if _, err := m.opts.Record(ctx, m.job.Recorded); err != nil {
			return Result{}, err
		}
	}
	return m.makeVisible(ctx, &p)
}

// makeVisible makes the report visible: manifest.summary, then manifest.json. If the
// manifest exists, it writes nothing.
func (m *maker) makeVisible(ctx context.Context, p *publication) (Result, error) {
	done, err := m.has(ctx, p.Directory+report.ManifestName, p.Manifest)
	if err != nil {
		return Result{}, err
	}
	if !done {
		if err := m.complete(ctx, p); err != nil {
			return Result{}, err
		}
		if err := m.put(ctx, p.Directory+report.SummaryName, p.Summary); err != nil {
			return Result{}, err
		}
		m.step(SummaryDone)
		if err := m.put(ctx, p.Directory+report.ManifestName, p.Manifest); err != nil {
			return Result{}, err
		}
	}
	m.step(ManifestDone)
	// The report is complete: the rest does not depend on the context.
	return m.result(context.WithoutCancel(ctx), p)
}

// complete returns ErrRecordedLost if a file of the report is missing.
func (m *maker) complete(ctx context.Context, p *publication) error {
	manifest, err := stocktake.ParseManifest(p.Manifest)
	if err != nil {
		return fmt.Errorf("the recorded report: %w", err)
	}
	missing := map[string]bool{}
	for _, f := range manifest.Files {
		missing[f.Key] = true
	}
	for key, err := range m.dst.List(ctx, p.Directory) {
		if err != nil {
			return fmt.Errorf("list %s: %w", p.Directory, err)
		}
		delete(missing, key)
	}
	for key := range missing {
		return fmt.Errorf("%w: %d of %d, such as %s", ErrRecordedLost, len(missing), len(manifest.Files), key)
	}
	return nil
}

// result returns the result of a complete report.
func (m *maker) result(ctx context.Context, p *publication) (Result, error) {
	r := Result{Manifest: p.Directory + report.ManifestName}
	if err := json.Unmarshal(p.Summary, &r.Summary); err != nil {
		return Result{}, fmt.Errorf("the recorded summary: %w", err)
	}
	if r.Summary.Window == nil {
		return Result{}, errors.New("the recorded summary is not of a window")
	}
	r.Until = r.Summary.Window.Until
	var err error
	r.Next, err = m.next(ctx, r.Until)
	return r, err
}

// errFound ends the search for the next change.
var errFound = errors.New("found")

// next returns the start of the next window that may have changes: of the window
// with the next change, or Job.Now if there is no change before it.
func (m *maker) next(ctx context.Context, until stocktake.JournalPosition) (time.Time, error) {
	if m.opts.EmptyManifest || !m.job.Now.After(m.job.End) {
		return m.job.End, nil
	}
	now, err := m.journal.Cut(ctx, m.job.Bucket, m.job.Now.UnixMilli())
	if err != nil {
		return time.Time{}, fmt.Errorf("cut the journal: %w", err)
	}
	next := m.job.Now
	if now.Sequence <= until.Sequence {
		return next, nil
	}
	gaps, err := m.journal.Changes(ctx, m.job.Bucket, m.job.Configuration.Filter.Prefix, until, now, func(batch []journal.Change) error {
		next = Align(time.UnixMilli(batch[0].Time), m.job.Length)
		return errFound
	})
	if err != nil && !errors.Is(err, errFound) {
		return time.Time{}, fmt.Errorf("read the journal: %w", err)
	}
	if len(gaps) > 0 || next.Before(m.job.End) {
		next = m.job.End // the window with the gap states it
	}
	return next, nil
}

// Align returns the start of the window of the given length in which t lies:
// windows begin at multiples of their length since 1970.
//
// Source: spec inventory-report.md, section 5.3.
func Align(t time.Time, length time.Duration) time.Time {
	seconds := max(int64(length/time.Second), 1)
	return time.Unix(t.Unix()-t.Unix()%seconds, 0).UTC()
}

// has reports whether an object has exactly this content.
func (m *maker) has(ctx context.Context, key string, content []byte) (bool, error) {
	got, err := m.get(ctx, key)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return bytes.Equal(got, content), err
}

// put writes a small file whole.
func (m *maker) put(ctx context.Context, key string, content []byte) error {
	f, err := m.dst.Create(ctx, key, engine.FileOptions{
		ContentType: "application/json", Encryption: m.job.Configuration.Destination.Encryption,
	})
	if err != nil {
		return fmt.Errorf("create %s: %w", key, err)
	}
	defer f.Abort()
	if _, err := f.Write(content); err != nil {
		return fmt.Errorf("write %s: %w", key, err)
	}
	if err := f.Commit(ctx, md5.Sum(content)); err != nil {
		return fmt.Errorf("commit %s: %w", key, err)
	}
	return nil
}

// limited is a reader that fails at its limit instead of ending.
type limited struct {
	r    io.Reader
	left int64
}

var errTooLong = errors.New("it is too long")

func (l *limited) Read(p []byte) (int, error) {
	if l.left <= 0 {
		return 0, errTooLong
	}
	n, err := l.r.Read(p[:min(int64(len(p)), l.left)])
	l.left -= int64(n)
	return n, err
}
