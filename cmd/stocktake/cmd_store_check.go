package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/stocktake/stocktake/internal/foreign"
	"github.com/stocktake/stocktake/internal/terminal"
)

type storeCheck struct {
	storesFlags
	jsonFlag
	Name     string `arg:"" help:"Name of the store in the settings file."`
	Bucket   string `help:"Bucket to try, by its name on this server. Default: the first whose full name is in the settings." short:"b" placeholder:"NAME"`
	Prefix   string `help:"Write files under this prefix only."`
	ReadOnly bool   `help:"List only; write nothing."`
}

// Help is shown by --help below the flags.
func (storeCheck) Help() string {
	return `The command makes the requests of a run with the credentials of the store: it lists some pages,
writes small files and one of 17 MB in parts, reads them, and deletes them with all their
versions. It then reports what else the store can do. Limits and hours of the store do not apply.`
}

// checkResult is the result for programs.
type checkResult struct {
	Store    string       `json:"store"`
	Kind     foreign.Kind `json:"kind"`
	Endpoint string       `json:"endpoint"`
	*foreign.Trial

	// NeedsAlias is a name that aliases should give the bucket: clients of OSS do not
	// send its own, so that it cannot be the source of configurations. Empty: they do.
	NeedsAlias string `json:"needsAlias,omitempty"`
}

// Run tries the store.
func (c *storeCheck) Run(ctx context.Context, con console) error {
	stores, err := readStores(c.Config)
	if err != nil {
		return err
	}
	settings, err := findStore(stores, c.Name)
	if err != nil {
		return err
	}
	bucket, err := c.bucketOf(settings)
	if err != nil {
		return err
	}
	st, err := foreign.Open(*settings, newLogger(con.err, slog.LevelWarn, "text"))
	if err != nil {
		return usageError{err}
	}
	line := terminal.NewStatusLine(con.err)
	line.Show("trying " + st.URL())
	trial, err := foreign.Try(ctx, st.Direct(), bucket, foreign.TrialOptions{Prefix: c.Prefix, ReadOnly: c.ReadOnly, UploadAbove: foreign.PartSize})
	line.Clear()
	if err != nil {
		return err
	}
	res := checkResult{Store: settings.Name, Kind: settings.Kind, Endpoint: st.URL(), Trial: trial}
	if here, ok := settings.NeedsAlias(bucket); ok {
		res.NeedsAlias = here
	}
	if c.JSON {
		err = terminal.PrintJSON(con.out, res)
	} else {
		err = res.print(con.out)
	}
	if err == nil && !trial.OK {
		err = fmt.Errorf("runs cannot use the store %s", c.Name)
	}
	return err
}

func findStore(stores []foreign.Settings, name string) (*foreign.Settings, error) {
	for i := range stores {
		if stores[i].Name == name {
			return &stores[i], nil
		}
	}
	return nil, usagef("the settings file has no store %q (stocktake store list)", name)
}

// bucketOf returns the bucket to try, by its name in the store.
func (c *storeCheck) bucketOf(s *foreign.Settings) (string, error) {
	if c.Bucket == "" {
		if there, ok := s.FirstBucket(); ok {
			return there, nil
		}
		return "", usagef("--bucket: the settings of %s have patterns only; name a bucket to try", s.Name)
	}
	there, ok := s.Locate(c.Bucket)
	if !ok {
		return "", usagef("--bucket: the settings of %s do not claim %s", s.Name, c.Bucket)
	}
	return there, nil
}

// print prints the trial for people.
func (r *checkResult) print(w io.Writer) error {
	sayf(w, "store %s (%s) at %s, bucket %s\n", r.Store, r.Kind, r.Endpoint, r.Bucket)
	for _, s := range r.Steps {
		verdict := "ok"
		if s.Error != "" {
			verdict = "FAILED  " + printable(s.Error)
		} else if s.Note != "" {
			verdict += "  " + s.Note
		}
		sayf(w, "  %-15s %8s  %s\n", s.Name, s.Took.Round(time.Millisecond), verdict)
	}
	page := "unknown: the bucket is empty"
	switch {
	case r.PageFull:
		page = fmt.Sprint(r.PageSize, " rows")
	case r.PageSize > 0:
		page = "at least " + many(int64(r.PageSize), "row") + ": the bucket has no more"
	}
	for _, a := range []struct{ name, value, without string }{
		{"versions", string(r.Versions), ""},
		{"conditional writes", string(r.ConditionalWrites), "only the catalog keeps two processes from writing one report"},
		{"checksums", string(r.Checksums), "only report verify finds damage in transit"},
		{"encryption", string(r.Encryption), "configurations must not ask for SSE-OSS"},
		{"page of a listing", page, ""},
	} {
		if a.value == string(foreign.Cannot) && a.without != "" {
			a.value += ": " + a.without
		}
		sayf(w, "  %-24s  %s\n", a.name, a.value)
	}
	if r.NeedsAlias != "" {
		sayf(w, "  %-24s  clients of OSS do not send %s: for configurations of the bucket, give it another name here, by aliases: {%s: %s}\n", "name", r.Bucket, r.NeedsAlias, r.Bucket)
	}
	if !r.OK {
		return nil // the error says so
	}
	_, err := sayln(w, "runs can use it")
	return err
}
