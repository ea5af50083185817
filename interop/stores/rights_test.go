package stores_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/client"
	"github.com/stocktake/stocktake/internal/engine"
	"github.com/stocktake/stocktake/report"
)

// The keys of the user that has the rights of docs/stores.md, and no other.
const restrictedKey, restrictedSecret = "restricted", "restricted-secret"

// A user is one whose rights can be changed.
type user struct {
	key, secret string
	more        policy // what the server asks for instead of rights that it does not know

	// opens opens a bucket with the keys of the user, if only that user may read
	// objects that it has written; nil: the administrator may read them.
	opens func(bucket string) engine.Destination

	// allow replaces the rights on some buckets. Its error says that the server does not
	// take the policy.
	allow func(t *testing.T, p policy, buckets ...string) error
}

// testRights: a user with the policy of docs/stores.md makes inventories of a bucket
// with versions, by the service and by take. With one of its rights less, a run fails
// with a reason that names the right, and publishes nothing, or its report is the same.
// docs/stores.md says which of both.
func testRights(t *testing.T, s service) {
	w := s.where()
	u := s.newUser(t)
	source, reports := s.newBucket(t), s.newBucket(t)
	s.enableVersions(t, source)
	s.enableVersions(t, reports)
	for i := range 15 { // five keys have two versions
		s.put(t, source, fmt.Sprintf("k%d", i%10))
	}
	s.remove(t, source, "k0")
	rw := &rightsWorld{
		t: t, s: s, u: u, source: source, reports: reports, binary: w.build(t),
		columns: []stocktake.Field{stocktake.FieldSize, stocktake.FieldEncryptionStatus, stocktake.FieldObjectACL, stocktake.FieldTaggingCount},
		all:     documented(t, w.kind).of(source, reports, "inv"), want: map[string][]string{"All": s.rows(t, source)},
	}
	var unknown []string
	for _, right := range rw.all.rights() {
		if u.allow(t, rw.all.only(right), source, reports) != nil {
			unknown = append(unknown, right)
			rw.all = rw.all.without(right)
		}
	}
	rw.all = append(rw.all, u.more.of(source, reports, "inv")...)
	for _, row := range rw.want["All"] {
		if strings.HasSuffix(row, " true false") {
			rw.want["Current"] = append(rw.want["Current"], row)
		}
	}
	rw.client = w.inventories(t, rw.binary, map[string]string{"lake-source": source, "lake-reports": reports}, u.key, u.secret)

	if err := u.allow(t, rw.all, source, reports); err != nil {
		t.Fatal(err)
	}
	rw.leaveOutUnavailable()
	for _, versions := range []string{"All", "Current"} {
		for by, made := range map[string]func(string) (string, error){"service": rw.run, "take": rw.take} {
			if reason, err := made(versions); err != nil || reason != "" {
				t.Fatalf("with the policy of docs/stores.md, %s, %s: %v, %s", by, versions, err, reason)
			}
		}
	}
	var needed, needless []string
	for _, right := range rw.all.rights() {
		if err := u.allow(t, rw.all.without(right), source, reports); err != nil {
			t.Fatal(err)
		}
		var fails []string
		for _, versions := range []string{"All", "Current"} {
			var reasons [2]string
			for i, made := range []func(string) (string, error){rw.run, rw.take} {
				var err error
				if reasons[i], err = made(versions); err != nil {
					t.Errorf("without %s, %s: %v", right, versions, err)
				}
				if reasons[i] != "" && !names(reasons[i], right) {
					t.Errorf("without %s, %s, the reason is %s", right, versions, reasons[i])
				}
			}
			if (reasons[0] == "") != (reasons[1] == "") {
				t.Errorf("without %s, %s: the service says %q, take %q", right, versions, reasons[0], reasons[1])
			}
			if reasons[0] != "" {
				fails = append(fails, versions)
			}
		}
		switch len(fails) {
		case 0:
			needless = append(needless, "`"+right+"`")
		case 1:
			needed = append(needed, "`"+right+"` ("+fails[0]+")")
		default:
			needed = append(needed, "`"+right+"`")
		}
	}
	s.document(t, "rights of", [][2]string{
		{"a run fails, and names the right, without", list(needed)},
		{"a run does without", list(needless)},
		{"the server has no such right", list(ticked(unknown))},
	})
}

// names reports whether a reason says that the credentials lack a right, and not a
// longer right that begins with the same text.
func names(reason, right string) bool {
	_, lacks, _ := strings.Cut(reason, "the credentials lack the right ")
	for word := range strings.FieldsFuncSeq(lacks, func(r rune) bool { return strings.ContainsRune(" ,;()\n", r) }) {
		if strings.TrimSuffix(word, ":") == right {
			return true
		}
	}
	return false
}

// rightsWorld is the environment of a run with rights left out.
type rightsWorld struct {
	t                       *testing.T
	s                       service
	u                       *user
	binary, source, reports string
	client                  *client.Client // of a service whose store has the user's keys
	all                     policy
	columns                 []stocktake.Field
	manifest                string              // of the last report
	want                    map[string][]string // rows by versions
	n                       int                 // configurations so far
}

// run has the service make a report, and returns why the run failed; empty: it has
// made the right report. An error is a wrong one.
func (w *rightsWorld) run(versions string) (reason string, err error) {
	ctx := w.t.Context()
	w.n++
	id := fmt.Sprintf("try-%d", w.n)
	err = w.client.Put(ctx, "lake-source", stocktake.InventoryConfiguration{
		ID: id, IsEnabled: true, OptionalFields: w.columns, IncludedObjectVersions: stocktake.IncludedObjectVersions(versions),
		Schedule: stocktake.Schedule{Frequency: stocktake.Daily}, Destination: lakeReports("inv"),
	})
	if err != nil {
		return "", err
	}
	runs, err := w.client.Runs(ctx, "lake-source", id)
	if err != nil || len(runs) != 1 {
		return "", fmt.Errorf("%d runs, %w", len(runs), err)
	}
	run, err := w.client.Wait(ctx, runs[0], nil)
	if err != nil {
		return "", err
	}
	if run.State == stocktake.Failed {
		return run.Reason, w.unpublished(ctx, "inv/lake-source/"+id+"/")
	}
	return "", w.right(ctx, run.Manifest, versions)
}

// leaveOutUnavailable makes a report, and leaves out columns that the server cannot
// provide: versitygw reports that only to users who have the right to read them.
func (w *rightsWorld) leaveOutUnavailable() {
	w.t.Helper()
	if reason, err := w.run("Current"); err != nil || reason != "" {
		w.t.Fatalf("%v, %s", err, reason)
	}
	r, err := report.Open(w.t.Context(), w.reader(), w.manifest)
	if err != nil {
		w.t.Fatal(err)
	}
	w.columns = slices.DeleteFunc(w.columns, func(f stocktake.Field) bool { return slices.Contains(r.Summary.Unavailable, f.String()) })
}

// take does the same by stocktake take.
func (w *rightsWorld) take(versions string) (reason string, err error) {
	at := w.s.where()
	w.n++
	to := fmt.Sprintf("inv/take-%d", w.n)
	fields := make([]string, len(w.columns))
	for i, f := range w.columns {
		fields[i] = f.String()
	}
	cmd := exec.CommandContext(w.t.Context(), w.binary, "take", at.kind+"://"+w.source, at.kind+"://"+w.reports+"/"+to,
		"--versions", versions, "--endpoint", at.endpoint, "--fields", strings.Join(fields, ","), "--json")
	cmd.Env = append(os.Environ(), "AWS_ACCESS_KEY_ID="+w.u.key, "AWS_SECRET_ACCESS_KEY="+w.u.secret, "OSS_ACCESS_KEY_ID="+w.u.key, "OSS_ACCESS_KEY_SECRET="+w.u.secret)
	out, err := cmd.Output()
	if failed, ok := errors.AsType[*exec.ExitError](err); ok {
		return string(failed.Stderr), w.unpublished(w.t.Context(), to)
	}
	if err != nil {
		return "", err
	}
	var result struct{ Manifest string }
	if err := json.Unmarshal(out, &result); err != nil {
		return "", err
	}
	return "", w.right(w.t.Context(), strings.TrimPrefix(result.Manifest, at.kind+"://"+w.reports+"/"), versions)
}

// reader returns the bucket of the reports for who may read them.
func (w *rightsWorld) reader() engine.Destination {
	if w.u.opens != nil {
		return w.u.opens(w.reports)
	}
	return w.s.destination(w.reports)
}

// unpublished returns an error if there is a manifest under a prefix.
func (w *rightsWorld) unpublished(ctx context.Context, prefix string) error {
	for key, err := range w.s.destination(w.reports).List(ctx, prefix) {
		if err != nil {
			return err
		}
		if strings.HasSuffix(key, "/manifest.json") {
			return fmt.Errorf("%s is there: %w", key, fs.ErrExist)
		}
	}
	return nil
}

// right returns an error if a report differs from the content of the bucket.
func (w *rightsWorld) right(ctx context.Context, manifest, versions string) error {
	w.manifest = manifest
	d := w.reader()
	v, err := report.Verify(ctx, d, manifest, report.VerifyOptions{})
	if err != nil || !v.OK {
		return fmt.Errorf("%s: %+v, %w", manifest, v, err)
	}
	want := w.want[versions]
	if versions == "Current" {
		if v.Rows != int64(len(want)) {
			return fmt.Errorf("%s: %d rows, want %d", manifest, v.Rows, len(want))
		}
		return nil
	}
	if got := reported(w.t, d, manifest); !slices.Equal(got, want) {
		return fmt.Errorf("%s: rows %q, want %q", manifest, got, want)
	}
	return nil
}
