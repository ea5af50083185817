package console

import (
	"cmp"
	"errors"
	"io/fs"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/stocktake/stocktake/internal/console/snippet"
	"github.com/stocktake/stocktake/internal/human"
	"github.com/stocktake/stocktake/report/rollup"
)

// compareData is the page that shows what grew between two reports, computed from
// their roll-ups.
type compareData struct {
	Bucket string    `json:"bucket"`
	ID     string    `json:"id"`
	Old    string    `json:"old"`
	New    string    `json:"new"`
	From   time.Time `json:"from"`
	To     time.Time `json:"to"`

	Prefix   string      `json:"prefix"`
	Above    []step      `json:"-"`
	Total    changeRow   `json:"total"`
	Prefixes []changeRow `json:"prefixes"` // those that changed, the largest change first
	Same     int         `json:"same"`     // prefixes that did not change
	Classes  []changeRow `json:"classes"`
	Types    []changeRow `json:"extensions"`
	Chart    *chart      `json:"-"`
	Command  string      `json:"-"` // compares the reports row by row
	Base     string      `json:"-"` // path of the newer report
}

// A changeRow is the counts of one part in two reports.
type changeRow struct {
	Name       string `json:"name"`
	OldObjects int64  `json:"oldObjects"`
	NewObjects int64  `json:"newObjects"`
	OldBytes   int64  `json:"oldBytes"`
	NewBytes   int64  `json:"newBytes"`
	Unsure     bool   `json:"unsure,omitempty"` // one report may count it among its smaller prefixes
	Href       string `json:"-"`
}

// Objects and Bytes return the increase; negative: a decrease.
func (c changeRow) Objects() int64 { return c.NewObjects - c.OldObjects }
func (c changeRow) Bytes() int64   { return c.NewBytes - c.OldBytes }

// compare shows what grew since the report ?with=, below ?prefix=.
func (v *visit) compare() (*page, error) {
	after, err := v.openReport()
	if err != nil {
		return nil, err
	}
	q := v.r.URL.Query()
	before, err := v.openNamed(&after.cfg, after.bucket, q.Get("with"))
	if err != nil {
		return nil, err
	}
	if before.Manifest.CreationTimestamp > after.Manifest.CreationTimestamp {
		return v.redirect(before.base + "/compare?" + url.Values{"with": {after.name}, "prefix": {q.Get("prefix")}}.Encode())
	}
	sums := make([]*rollup.Rollup, 2)
	for i, r := range []*openReport{before, after} {
		if sums[i], err = r.ReadRollup(v.ctx); errors.Is(err, fs.ErrNotExist) {
			return nil, &statusError{http.StatusNotFound, "the report " + r.name + " has no totals", "Compare the rows instead: " + v.diffCommand(before, after)}
		} else if err != nil {
			return nil, err
		}
	}
	data := &compareData{
		Bucket: v.bucket(), ID: v.id(), Old: before.name, New: after.name,
		From: time.Unix(before.Manifest.CreationTimestamp, 0).UTC(), To: time.Unix(after.Manifest.CreationTimestamp, 0).UTC(),
		Command: v.diffCommand(before, after), Base: after.base,
	}
	if err := data.fill(sums[0], sums[1], q.Get("prefix")); err != nil {
		return nil, err
	}
	return &page{Template: "compare", Title: "What grew", Trail: v.reportTrail(after.name), Data: data, Charts: true}, nil
}

// diffCommand returns the command that compares two reports row by row.
func (v *visit) diffCommand(before, after *openReport) string {
	where := func(r *openReport) string { return snippet.Quoted("oss://" + r.cfg.Destination.Bucket + "/" + r.Key) }
	return "stocktake report diff " + where(before) + " " + where(after)
}

// fill computes what changed below a prefix.
func (d *compareData) fill(old, new *rollup.Rollup, prefix string) error {
	at, children, err := below(new, prefix)
	wasThere := true
	was, former, oldErr := below(old, prefix)
	if oldErr != nil {
		was, wasThere = &rollup.Prefix{}, false
	}
	if err != nil {
		if oldErr != nil {
			return err
		}
		at = &rollup.Prefix{Prefix: was.Prefix}
	}
	d.Prefix = string(at.Prefix)
	href := func(prefix string) string {
		return d.Base + "/compare?" + url.Values{"with": {d.Old}, "prefix": {prefix}}.Encode()
	}
	d.Above = stepsTo(new, d.Prefix, href)
	d.Total = changeRow{Name: d.Prefix, OldObjects: was.Objects, NewObjects: at.Objects, OldBytes: was.Bytes, NewBytes: at.Bytes, Unsure: !wasThere}
	rows := map[string]*changeRow{}
	row := func(name string) *changeRow {
		if rows[name] == nil {
			rows[name] = &changeRow{Name: strings.TrimPrefix(name, d.Prefix), Href: href(name), Unsure: true}
		}
		return rows[name]
	}
	for _, i := range children {
		c := row(string(new.Prefixes[i].Prefix))
		c.NewObjects, c.NewBytes = new.Prefixes[i].Objects, new.Prefixes[i].Bytes
		c.Unsure = was.Folded.Prefixes > 0
	}
	for _, i := range former {
		name := string(old.Prefixes[i].Prefix)
		both := rows[name] != nil
		c := row(name)
		c.OldObjects, c.OldBytes = old.Prefixes[i].Objects, old.Prefixes[i].Bytes
		c.Unsure = !both && at.Folded.Prefixes > 0
	}
	d.Prefixes, d.Same = changed(rows)
	d.Chart = changeChart(d.Prefixes)

	classes := map[string]*changeRow{}
	for i, r := range []*rollup.Rollup{old, new} {
		for _, c := range r.Classes {
			add(classes, c.StorageClass, i == 1, c.Count)
		}
	}
	d.Classes, _ = changed(classes)
	types := map[string]*changeRow{}
	for i, r := range []*rollup.Rollup{old, new} {
		for _, x := range r.Extensions {
			name := "." + x.Extension
			if x.Extension == "" {
				name = "(none)"
			}
			add(types, name, i == 1, x.Count)
		}
	}
	d.Types, _ = changed(types)
	d.Types = d.Types[:min(len(d.Types), 20)]
	return nil
}

func add(rows map[string]*changeRow, name string, isNew bool, n rollup.Count) {
	c := rows[name]
	if c == nil {
		c = &changeRow{Name: name}
		rows[name] = c
	}
	if isNew {
		c.NewObjects, c.NewBytes = n.Objects, n.Bytes
	} else {
		c.OldObjects, c.OldBytes = n.Objects, n.Bytes
	}
}

// changed returns the rows that changed, the largest change first, and the number
// of unchanged rows.
func changed(rows map[string]*changeRow) (list []changeRow, same int) {
	list = []changeRow{}
	for _, c := range rows {
		if c.Bytes() == 0 && c.Objects() == 0 {
			same++
			continue
		}
		list = append(list, *c)
	}
	far := func(n int64) int64 { return max(n, -n) }
	slices.SortFunc(list, func(a, b changeRow) int {
		return cmp.Or(cmp.Compare(far(b.Bytes()), far(a.Bytes())), cmp.Compare(far(b.Objects()), far(a.Objects())), cmp.Compare(a.Name, b.Name))
	})
	return list, same
}

// changeChart shows the prefixes that changed most.
func changeChart(rows []changeRow) *chart {
	c := &chart{Kind: "bar", Title: "Change by prefix", Unit: "bytes", Signed: true, Stacked: true}
	grew, shrank := series{Name: "grew", Color: 2}, series{Name: "shrank", Color: 1}
	for _, r := range rows[:min(len(rows), 15)] {
		c.Labels = append(c.Labels, human.Visible(r.Name))
		c.Links = append(c.Links, r.Href)
		grew.Values = append(grew.Values, max(r.Bytes(), 0))
		shrank.Values = append(shrank.Values, min(r.Bytes(), 0))
	}
	if len(c.Labels) == 0 {
		return nil
	}
	c.Series = []series{grew, shrank}
	return c
}
