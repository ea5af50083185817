package console

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/human"
	"github.com/stocktake/stocktake/report"
	"github.com/stocktake/stocktake/report/rollup"
)

// reportData is the page of one report. All of it comes from manifest.json,
// manifest.summary and manifest.rollup.
type reportData struct {
	Bucket      string                `json:"bucket"`
	ID          string                `json:"id"`
	Name        string                `json:"name"`
	Manifest    string                `json:"manifest"` // its key
	Destination string                `json:"destination"`
	Format      string                `json:"format"`
	Columns     []string              `json:"columns"`
	Started     time.Time             `json:"started"`
	Seconds     float64               `json:"seconds"`
	Consistency stocktake.Consistency `json:"consistency,omitempty"`
	Rows        int64                 `json:"rows"`
	Listed      int64                 `json:"listed"`
	Bytes       int64                 `json:"bytes"`
	Stored      int64                 `json:"stored"` // bytes of the shards

	By      string    `json:"by"` // sort order of prefixes: "bytes" or "objects"
	Totals  *totals   `json:"totals,omitempty"`
	NoTotal string    `json:"noTotals,omitempty"` // why there are no totals
	Files   []shard   `json:"files"`
	More    int       `json:"moreFiles,omitempty"` // number of files not listed on this page
	Next    int       `json:"-"`
	Earlier []earlier `json:"earlier,omitempty"` // reports to compare with
	Base    string    `json:"-"`
}

// totals are the sums of a report.
type totals struct {
	rollup.Tally
	Prefix     string             `json:"prefix"`
	Above      []step             `json:"-"` // the parents of the open prefix
	Prefixes   []prefixRow        `json:"prefixes"`
	Whole      int64              `json:"-"` // the total that shares refer to
	Classes    []classRow         `json:"classes"`
	Ages       []rangeRow         `json:"ages"`
	Sizes      []rangeRow         `json:"sizes"`
	Extensions []rollup.Extension `json:"extensions"`
	Largest    []rollup.Object    `json:"largest"`
	Oldest     *rollup.Object     `json:"oldest,omitempty"`
	Newest     *rollup.Object     `json:"newest,omitempty"`

	Treemap    *chart `json:"-"`
	ClassChart *chart `json:"-"`
	AgeChart   *chart `json:"-"`
	SizeChart  *chart `json:"-"`
}

// A step is a parent of the open prefix.
type step struct{ Name, Href string }

// A prefixRow is a prefix below the open one, or the rest that is in none of them.
type prefixRow struct {
	Name    string `json:"name"`
	Prefix  string `json:"prefix,omitempty"`
	Objects int64  `json:"objects"`
	Bytes   int64  `json:"bytes"`
	AtLeast bool   `json:"atLeast,omitempty"`
	Href    string `json:"-"`
}

type classRow struct {
	Class   string `json:"class"`
	Objects int64  `json:"objects"`
	Bytes   int64  `json:"bytes"`
}

// A rangeRow counts the objects of a range of ages or sizes.
type rangeRow struct {
	From    int64  `json:"from"` // days or bytes
	Name    string `json:"name"`
	Objects int64  `json:"objects"`
	Bytes   int64  `json:"bytes"`

	classes map[string]int64 // bytes, or for sizes objects, by class
}

// An earlier is a report that the current one can be compared with.
type earlier struct{ Name, Href string }

// report shows a report. ?prefix= opens a prefix, ?by=objects sorts by objects.
func (v *visit) report() (*page, error) {
	r, err := v.openReport()
	if err != nil {
		return nil, err
	}
	q := v.r.URL.Query()
	data := v.describe(r)
	data.By = "bytes"
	if q.Get("by") == "objects" {
		data.By = "objects"
	}
	sums, err := r.ReadRollup(v.ctx)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		data.NoTotal = "This report has no totals (manifest.rollup): it was written by an earlier version, or by another service. The next one will have them."
	case errors.Is(err, report.ErrMalformed), errors.Is(err, rollup.ErrVersion):
		data.NoTotal = "The totals cannot be read: " + human.Visible(err.Error())
	case err != nil:
		return nil, err
	default:
		if data.Totals, err = totalsOf(sums, q.Get("prefix"), data.By, r.base); err != nil {
			return nil, err
		}
	}
	from, _ := strconv.Atoi(q.Get("file")) // an invalid number means the first
	data.addFiles(r, max(from, 0))
	runs, err := v.client.Runs(v.ctx, v.bucket(), v.id())
	if err != nil {
		return nil, err
	}
	for i := range runs {
		if name, ok := directoryName(runs[i].Manifest); ok && runs[i].State == stocktake.Succeeded && name != r.name {
			data.Earlier = append(data.Earlier, earlier{name, r.base + "/compare?with=" + url.QueryEscape(name)})
		}
	}
	title := "Report of " + data.Started.UTC().Format("2006-01-02 15:04") + " UTC"
	return &page{Template: "report", Title: title, Trail: v.reportTrail(""), Data: data, Charts: true}, nil
}

// describe returns the contents of manifest and summary.
func (v *visit) describe(r *openReport) *reportData {
	d := &reportData{
		Bucket: v.bucket(), ID: v.id(), Name: r.name, Manifest: r.Key, Destination: r.cfg.Destination.Bucket, Format: r.Manifest.FileFormat,
		Started: time.Unix(r.Manifest.CreationTimestamp, 0).UTC(), Base: r.base, Files: []shard{},
	}
	for _, f := range r.Columns {
		d.Columns = append(d.Columns, cmp.Or(f.String(), "?"))
	}
	for _, f := range r.Manifest.Files {
		d.Stored += f.Size
	}
	if s := r.Summary; s != nil {
		d.Started, d.Seconds, d.Consistency = s.Start, s.End.Sub(s.Start).Seconds(), s.Consistency
		d.Rows, d.Listed, d.Bytes = s.Matched, s.Listed, s.Bytes
	}
	return d
}

// Took returns the duration of the scan.
func (d *reportData) Took() time.Duration { return time.Duration(d.Seconds * float64(time.Second)) }

// most bounds the prefixes, the extensions and the objects that a page lists.
const most = 50

// totalsOf returns the totals that the page shows of a roll-up, with prefix open.
func totalsOf(r *rollup.Rollup, prefix, by, base string) (*totals, error) {
	at, children, err := below(r, prefix)
	if err != nil {
		return nil, err
	}
	t := &totals{
		Tally: at.Tally, Prefix: string(at.Prefix), Extensions: r.Extensions[:min(len(r.Extensions), 20)],
		Largest: r.Largest[:min(len(r.Largest), most)], Oldest: r.Oldest, Newest: r.Newest,
	}
	href := func(prefix string) string {
		q := url.Values{}
		if prefix != "" {
			q.Set("prefix", prefix)
		}
		if by == "objects" {
			q.Set("by", by)
		}
		return base + "?" + q.Encode() + "#prefixes"
	}
	t.Above = stepsTo(r, t.Prefix, href)
	t.listPrefixes(r, at, children, by, href)
	t.Treemap = treemapOf(t, by)
	for _, c := range r.Classes {
		t.Classes = append(t.Classes, classRow{c.StorageClass, c.Objects, c.Bytes})
	}
	t.ClassChart = &chart{Kind: "bar", Title: "Bytes by storage class", Unit: "bytes", Series: []series{{Name: "Size", Color: 1}}}
	for _, c := range t.Classes {
		t.ClassChart.Labels = append(t.ClassChart.Labels, c.Class)
		t.ClassChart.Series[0].Values = append(t.ClassChart.Series[0].Values, c.Bytes)
	}
	for _, a := range r.Ages {
		t.Ages = addRange(t.Ages, a.From, ageName(a.From), a.StorageClass, a.Count, a.Bytes)
	}
	for _, s := range r.Sizes {
		t.Sizes = addRange(t.Sizes, s.From, sizeName(s.From), s.StorageClass, s.Count, s.Objects)
	}
	t.AgeChart = rangeChart("Bytes by time since the last change", "bytes", t.Ages, t.Classes)
	t.SizeChart = rangeChart("Objects by size", "count", t.Sizes, t.Classes)
	return t, nil
}

// listPrefixes fills in the prefixes below the open one, the largest first.
func (t *totals) listPrefixes(r *rollup.Rollup, at *rollup.Prefix, children []int, by string, href func(string) string) {
	value := func(p *prefixRow) int64 {
		if by == "objects" {
			return p.Objects
		}
		return p.Bytes
	}
	t.Whole = at.Bytes
	if by == "objects" {
		t.Whole = at.Objects
	}
	direct := at.Tally
	subtract := func(o *rollup.Tally) { direct.Objects, direct.Bytes = direct.Objects-o.Objects, direct.Bytes-o.Bytes }
	t.Prefixes = []prefixRow{}
	for _, i := range children {
		p := &r.Prefixes[i]
		subtract(&p.Tally)
		t.Prefixes = append(t.Prefixes, prefixRow{
			Name: strings.TrimPrefix(string(p.Prefix), t.Prefix), Prefix: string(p.Prefix),
			Objects: p.Objects, Bytes: p.Bytes, AtLeast: p.AtLeast, Href: href(string(p.Prefix)),
		})
	}
	slices.SortStableFunc(t.Prefixes, func(a, b prefixRow) int { return cmp.Compare(value(&b), value(&a)) })
	rest := prefixRow{Name: fmt.Sprintf("(%s)", many(at.Folded.Prefixes, "smaller prefix")), Objects: at.Folded.Objects, Bytes: at.Folded.Bytes}
	if at.Folded.Prefixes > 1 {
		rest.Name = fmt.Sprintf("(%s smaller prefixes)", count(at.Folded.Prefixes))
	}
	subtract(&at.Folded.Tally)
	if len(t.Prefixes) > most {
		var others prefixRow
		for _, p := range t.Prefixes[most:] {
			others.Objects += p.Objects
			others.Bytes += p.Bytes
		}
		others.Name = fmt.Sprintf("(%s more)", count(len(t.Prefixes)-most))
		t.Prefixes = append(t.Prefixes[:most], others)
	}
	if at.Folded.Prefixes > 0 {
		t.Prefixes = append(t.Prefixes, rest)
	}
	if direct.Objects > 0 {
		t.Prefixes = append(t.Prefixes, prefixRow{Name: "(objects directly here)", Objects: direct.Objects, Bytes: direct.Bytes})
	}
}

// below returns the prefix with the given name, and the indices of those directly
// below it.
func below(r *rollup.Rollup, name string) (at *rollup.Prefix, children []int, err error) {
	if len(r.Prefixes) == 0 {
		return &rollup.Prefix{Tally: r.Tally, Prefix: r.Root}, nil, nil // prefixes were not counted
	}
	i := 0
	if name != "" && name != string(r.Root) {
		i = slices.IndexFunc(r.Prefixes, func(p rollup.Prefix) bool { return string(p.Prefix) == name })
	}
	if i < 0 {
		return nil, nil, &statusError{
			http.StatusNotFound, "the report has no totals of the prefix " + human.Visible(name),
			"Totals are kept of the largest prefixes, to a number of levels (--rollup-depth). stocktake report find lists the objects of any prefix.",
		}
	}
	at = &r.Prefixes[i]
	inside := "" // the child that may contain the next prefixes
	for j := i + 1; j < len(r.Prefixes); j++ {
		p := string(r.Prefixes[j].Prefix)
		if !strings.HasPrefix(p, string(at.Prefix)) {
			break
		}
		if inside != "" && strings.HasPrefix(p, inside) {
			continue
		}
		inside = p
		children = append(children, j)
	}
	return at, children, nil
}

// stepsTo returns the parents of the open prefix and the prefix itself.
func stepsTo(r *rollup.Rollup, prefix string, href func(string) string) []step {
	root := string(r.Root)
	steps := []step{{cmp.Or(root, "all keys"), href("")}}
	rest := strings.TrimPrefix(prefix, root)
	for at := 0; ; {
		i := strings.IndexByte(rest[at:], '/')
		if i < 0 {
			return steps
		}
		name := rest[at : at+i+1]
		at += i + 1
		steps = append(steps, step{name, href(root + rest[:at])})
	}
}
