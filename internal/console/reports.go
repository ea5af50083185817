package console

import (
	"errors"
	"io/fs"
	"net/http"
	"net/url"
	"path"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/human"
	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/report"
)

// reportRow is a report in the list of a configuration.
type reportRow struct {
	Name     string    `json:"name"` // of its directory
	Time     time.Time `json:"time"`
	Complete bool      `json:"complete"`
	Totals   bool      `json:"totals"` // it has a manifest.rollup
	Known    bool      `json:"known"`  // the size is known
	Objects  int64     `json:"objects"`
	Bytes    int64     `json:"bytes"`
	Href     string    `json:"-"`
	Previous string    `json:"-"` // name of the previous complete report
}

// reportsData is the list of the reports of a configuration, newest first.
type reportsData struct {
	Bucket      string      `json:"bucket"`
	ID          string      `json:"id"`
	Destination string      `json:"destination"`
	Base        string      `json:"base"` // of the keys of the reports
	Reports     []reportRow `json:"reports"`
	Growth      *chart      `json:"-"`
	Path        string      `json:"-"`
}

// reportsPage shows the reports that are in the destination.
func (v *visit) reportsPage() (*page, error) {
	cfg, err := v.client.Get(v.ctx, v.bucket(), v.id())
	if err != nil {
		return nil, err
	}
	runs, err := v.client.Runs(v.ctx, v.bucket(), v.id())
	if err != nil {
		return nil, err
	}
	b, err := v.reports(&cfg)
	if err != nil {
		return nil, err
	}
	byManifest := map[string]*stocktake.Run{}
	for i := range runs {
		byManifest[runs[i].Manifest] = &runs[i]
	}
	at := v.location(&cfg)
	data := &reportsData{
		Bucket: v.bucket(), ID: v.id(), Destination: cfg.Destination.Bucket, Base: at.Base(), Reports: []reportRow{},
		Path: inventoryHref(v.bucket(), v.id()) + "/reports",
	}
	previous := ""
	for d, err := range report.Directories(v.ctx, b, at) {
		if err != nil {
			return nil, err
		}
		name := path.Base(d.Key)
		row := reportRow{Name: name, Time: d.Time, Complete: d.Manifest, Totals: d.Rollup, Href: data.Path + "/" + name, Previous: previous}
		if run := byManifest[d.Key+report.ManifestName]; run != nil && run.State == stocktake.Succeeded {
			row.Known, row.Objects, row.Bytes = true, run.Matched, run.Bytes
		}
		if d.Manifest {
			previous = name
		}
		data.Reports = append(data.Reports, row)
	}
	slices.Reverse(data.Reports)
	if err := v.readSummaries(b, at, data.Reports); err != nil {
		return nil, err
	}
	data.Growth = growthOf(data.Reports)
	return &page{Template: "reports", Title: "Reports", Trail: trail(data.Bucket, data.ID), Data: data, Charts: true}, nil
}

// maxSummaries is how many summaries the list of reports reads at most.
const maxSummaries = 50

// readSummaries fills in the sizes of the newest reports whose runs are no longer
// recorded.
func (v *visit) readSummaries(b report.Bucket, at report.Location, rows []reportRow) error {
	g, ctx := errgroup.WithContext(v.ctx)
	g.SetLimit(concurrentReads)
	left := maxSummaries
	for i := range rows {
		row := &rows[i]
		if row.Known || !row.Complete || left == 0 {
			continue
		}
		left--
		g.Go(func() error {
			s, err := report.ReadSummary(ctx, b, at.Base()+row.Name+"/"+report.SummaryName)
			if errors.Is(err, fs.ErrNotExist) || errors.Is(err, report.ErrMalformed) || errors.Is(err, stocktake.ErrAccessDenied) {
				return nil // the report is listed; its own page shows the error
			}
			if err != nil {
				return err
			}
			row.Known, row.Objects, row.Bytes = true, s.Matched, s.Bytes
			return nil
		})
	}
	return g.Wait()
}

// growthOf shows objects and bytes over time, from the reports. It returns nil if
// there are too few.
func growthOf(rows []reportRow) *chart {
	c := newGrowthChart()
	for _, r := range slices.Backward(rows) {
		if r.Known {
			c.addReport(r.Time, r.Href, r.Objects, r.Bytes)
		}
	}
	return c.unlessShort()
}

// location returns where the reports of the configuration of the visit are.
func (v *visit) location(cfg *stocktake.InventoryConfiguration) report.Location {
	return report.Location{Prefix: cfg.Destination.Prefix, Bucket: v.bucket(), Configuration: v.id()}
}

// directoryForm is the time format of the names of report directories.
const directoryForm = "2006-01-02T15-04Z"

// directoryName returns the name of a report's directory, from the key of its
// manifest.
func directoryName(manifest string) (string, bool) {
	name := path.Base(path.Dir(manifest))
	_, err := time.Parse(directoryForm, name)
	return name, err == nil
}

// An openReport is the report that a page shows.
type openReport struct {
	*report.Report
	bucket report.Bucket
	cfg    stocktake.InventoryConfiguration
	name   string // of its directory
	base   string // path of its page
}

// openReport opens the report of the visit.
func (v *visit) openReport() (*openReport, error) {
	cfg, err := v.client.Get(v.ctx, v.bucket(), v.id())
	if err != nil {
		return nil, err
	}
	b, err := v.reports(&cfg)
	if err != nil {
		return nil, err
	}
	return v.openNamed(&cfg, b, v.r.PathValue("report"))
}

// openNamed opens the report of a configuration with the given directory name.
func (v *visit) openNamed(cfg *stocktake.InventoryConfiguration, b report.Bucket, name string) (*openReport, error) {
	if _, err := time.Parse(directoryForm, name); err != nil {
		return nil, &statusError{http.StatusNotFound, "reports are named by the minute in which they began, such as " + directoryForm, ""}
	}
	opened, err := report.Open(v.ctx, b, v.location(cfg).Base()+name+"/"+report.ManifestName)
	_, refused := serviceError(err)
	known := refused || v.ctx.Err() != nil || errors.Is(err, fs.ErrNotExist) || errors.Is(err, stocktake.ErrAccessDenied) || errors.Is(err, object.ErrUnreachable)
	if err != nil && !known {
		return nil, &statusError{http.StatusUnprocessableEntity, "the report cannot be read: " + human.Visible(err.Error()), "If it is damaged, stocktake report verify says which files are."}
	}
	if err != nil {
		return nil, err
	}
	return &openReport{opened, b, *cfg, name, inventoryHref(v.bucket(), v.id()) + "/reports/" + url.PathEscape(name)}, nil
}

// reportTrail returns the parents of the report's page.
func (v *visit) reportTrail(name string) []crumb {
	t := append(trail(v.bucket(), v.id()), crumb{"Reports", inventoryHref(v.bucket(), v.id()) + "/reports"})
	if name != "" {
		t = append(t, crumb{name, inventoryHref(v.bucket(), v.id()) + "/reports/" + url.PathEscape(name)})
	}
	return t
}
