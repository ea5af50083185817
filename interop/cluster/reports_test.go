package cluster_test

import (
	"errors"
	"io/fs"
	"maps"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/dirbucket"
	"github.com/stocktake/stocktake/report"
)

// files returns the files of the bucket of reports, as the disk has them. Processes may
// remove some of them meanwhile, and empty folders with them.
func (w *world) files() map[string]bool {
	w.t.Helper()
	root, files := filepath.Join(w.lake.folder, w.reports), map[string]bool{}
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(root, name)
		files[filepath.ToSlash(rel)] = true
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return files
}

// A foundReport is a report whose manifest exists.
type foundReport struct {
	manifest, run, source string
	rows                  int64
}

// checkReports checks each report in the bucket: it is complete, and has each key of
// its source once; no run has two reports, no two reports name the same shard, and
// there is no other file.
func (w *world) checkReports() (found []foundReport) {
	w.t.Helper()
	b, err := dirbucket.Open(filepath.Join(w.lake.folder, w.reports))
	if err != nil {
		w.t.Fatal(err)
	}
	defer b.Close()
	files := w.files()
	byRun := map[string]string{}
	for key := range files {
		if path.Base(key) != report.ManifestName {
			continue
		}
		r, err := report.Open(w.t.Context(), b, key)
		if err != nil {
			w.t.Errorf("%s: %v", key, err)
			continue
		}
		s, err := report.ReadSummary(w.t.Context(), b, path.Dir(key)+"/"+report.SummaryName)
		if err != nil {
			w.t.Errorf("%s: %v", key, err)
			continue
		}
		f := foundReport{manifest: key, run: s.Run, source: r.Manifest.SourceBucket, rows: s.Matched}
		if other, ok := byRun[f.run]; ok {
			w.t.Errorf("run %s has two reports, %s and %s", f.run, other, key)
		}
		byRun[f.run] = key
		w.checkRows(b, &f)
		for _, shard := range r.Manifest.Files {
			if !files[shard.Key] {
				w.t.Errorf("%s: its shard %s is missing, or another report has it", key, shard.Key)
			}
			delete(files, shard.Key)
		}
		for _, name := range []string{report.SummaryName, report.ChecksumName, report.RollupName} {
			delete(files, path.Dir(key)+"/"+name)
		}
		base, minute := path.Split(path.Dir(key))
		if started, err := time.Parse("2006-01-02T15-04Z", minute); err == nil {
			delete(files, base+"hive/dt="+started.Format("2006-01-02-15-04")+"/symlink.txt")
		}
		delete(files, key)
		found = append(found, f)
	}
	for key := range files {
		w.t.Errorf("no report has %s", key)
	}
	return found
}

// checkRows compares a report with the keys that its source was filled with.
func (w *world) checkRows(b *dirbucket.Bucket, f *foundReport) {
	w.t.Helper()
	v, err := report.Verify(w.t.Context(), b, f.manifest, report.VerifyOptions{})
	if err != nil || !v.OK {
		w.t.Errorf("%s: %+v, %v", f.manifest, v, err)
		return
	}
	r, err := report.Open(w.t.Context(), b, f.manifest)
	if err != nil {
		w.t.Error(err)
		return
	}
	id := strings.TrimPrefix(path.Dir(path.Dir(f.manifest)), "inv/"+f.source+"/")
	want := w.lake.keys[f.source]
	if prefix := w.prefixes[id]; prefix != "" {
		want = maps.Clone(want)
		maps.DeleteFunc(want, func(key string, _ bool) bool { return !strings.HasPrefix(key, prefix) })
	}
	seen := make(map[string]bool, len(want))
	for row, err := range r.Rows(w.t.Context()) {
		if err != nil {
			w.t.Errorf("%s: %v", f.manifest, err)
			return
		}
		key := string(row.Key)
		if !want[key] || seen[key] {
			w.t.Errorf("%s: %q is listed twice, or should not be listed", f.manifest, key)
			return
		}
		seen[key] = true
	}
	if len(seen) != len(want) {
		w.t.Errorf("%s has %d keys, want %d", f.manifest, len(seen), len(want))
	}
}

// verifyByCommand lets the binary verify all reports, as it reads them from the store.
func (w *world) verifyByCommand() {
	w.t.Helper()
	cmd := exec.CommandContext(w.t.Context(), stocktakeBinary, "report", "verify", "--all", "s3://"+w.reports+"/inv/", "--endpoint", w.lake.endpoint, "--region", "us-east-1")
	cmd.Env = append(cmd.Environ(), "AWS_ACCESS_KEY_ID="+accessKey, "AWS_SECRET_ACCESS_KEY="+secretKey)
	if out, err := cmd.CombinedOutput(); err != nil {
		w.t.Errorf("stocktake report verify: %v\n%s", err, last(string(out), 3000))
	}
}

// oneReport checks that a configuration has had one run, which has succeeded, and that the
// bucket contains only its report.
func (w *world) oneReport(m *machine, bucket, id string) {
	w.t.Helper()
	w.reportsOf(w.runs(m, bucket, id), 1)
}

// reportsOf checks that n runs have succeeded, that each has listed its bucket once, and that
// the bucket of reports contains only their reports.
func (w *world) reportsOf(runs []stocktake.Run, n int) {
	w.t.Helper()
	if len(runs) != n {
		w.t.Fatalf("%d runs, want %d: %+v", len(runs), n, runs)
	}
	manifests := map[string]string{}
	for _, f := range w.checkReports() {
		manifests[f.run] = f.manifest
	}
	if len(manifests) != n {
		w.t.Errorf("the reports are %v, want %d", manifests, n)
	}
	for _, r := range runs {
		if r.State != stocktake.Succeeded || r.Manifest == "" || manifests[r.ID] != r.Manifest {
			w.t.Errorf("the report of the run %+v is %q", r, manifests[r.ID])
		}
		if want := int64(len(w.lake.keys[r.Bucket])); r.Listed != want {
			w.t.Errorf("the run %s has listed %d objects, want %d", r.ID, r.Listed, want)
		}
	}
	w.verifyByCommand()
}
