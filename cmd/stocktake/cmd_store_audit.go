package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/stocktake/stocktake/internal/datafolder"
	"github.com/stocktake/stocktake/internal/server"
	"github.com/stocktake/stocktake/internal/store"
	"github.com/stocktake/stocktake/internal/terminal"
)

type storeAudit struct {
	Data string `group:"Connection" help:"Data folder of the server." default:"./stocktake-data" type:"path"`
	JSON bool   `help:"Print the result as JSON."`
}

// Help is shown by --help below the flags.
func (storeAudit) Help() string {
	return `Every file in the index must exist with its size, no other file may exist,
and the statistics of each bucket must be the sum of its objects. The
contents of files are not read. The catalog, the accounts and the keys must exist and be
readable. Unfinished work of a killed server is completed first, as
at every start.`
}

// maxProblems is how many problems are listed; all are counted.
const maxProblems = 1000

// auditResult is the result for programs.
type auditResult struct {
	Data string `json:"data"`
	OK   bool   `json:"ok"`

	Buckets     int64 `json:"buckets"`
	Versions    int64 `json:"versions"` // delete markers included
	Uploads     int64 `json:"uploads"`
	Parts       int64 `json:"parts"`
	Inline      int64 `json:"inline"` // blobs in the index
	InlineBytes int64 `json:"inlineBytes"`
	Files       int64 `json:"files"`
	FileBytes   int64 `json:"fileBytes"`
	Changes     int64 `json:"changes"` // in journals, from which incremental reports are made

	Wrong    int64          `json:"wrong"`    // problems found
	Problems []auditProblem `json:"problems"` // the first of them
}

type auditProblem struct {
	Subject string `json:"subject"`
	Text    string `json:"text"`
}

// Run audits the store.
func (c *storeAudit) Run(ctx context.Context, con console) (err error) {
	folder := server.Folder(c.Data)
	master, err := envMaster()
	if err != nil {
		return err
	}
	if err := folder.Check(); err != nil {
		return err
	}
	if err := folder.CheckParts(datafolder.IndexName); err != nil {
		return err
	}
	if st, err := os.Stat(folder.Index()); err != nil || !st.IsDir() {
		return usagef("--data: %s is not a store: it has no folder named index", c.Data)
	}
	st, err := server.OpenStore(ctx, folder, store.Options{Log: newLogger(con.err, slog.LevelWarn, "text")})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()

	line := terminal.NewStatusLine(con.err)
	res := auditResult{Data: c.Data, Problems: []auditProblem{}}
	wrong := func(p store.Problem) {
		res.Wrong++
		if res.Wrong > maxProblems {
			return
		}
		if c.JSON {
			res.Problems = append(res.Problems, auditProblem(p))
			return
		}
		line.Clear()
		sayf(con.out, "WRONG  %s\n", printable(p.String()))
	}
	lost, err := folder.Losses(ctx, master)
	if err != nil {
		return err
	}
	for _, l := range lost {
		wrong(store.Problem{Subject: l.Part.Name, Text: l.Problem + ": it holds " + l.Part.Holds})
	}
	a, err := st.Audit(ctx, wrong, func(a store.Audit) {
		line.Show(fmt.Sprintf("auditing: %s, %s so far", many(a.Versions, "version"), many(a.Files, "blob file")))
	})
	line.Clear()
	if err != nil {
		return err
	}
	res.add(&a)
	if c.JSON {
		err = terminal.PrintJSON(con.out, res)
	} else {
		err = res.print(con.out)
	}
	if err == nil && !res.OK {
		err = fmt.Errorf("the store in %s is damaged: %s", c.Data, many(res.Wrong, "problem"))
	}
	return err
}

func (r *auditResult) add(a *store.Audit) {
	r.OK = r.Wrong == 0
	r.Buckets, r.Versions, r.Uploads, r.Parts = a.Buckets, a.Versions, a.Uploads, a.Parts
	r.Inline, r.InlineBytes, r.Files, r.FileBytes = a.Inline, a.InlineBytes, a.Files, a.FileBytes
	r.Changes = a.Changes
}

func (r *auditResult) print(w io.Writer) error {
	if n := r.Wrong - maxProblems; n > 0 {
		sayf(w, "and %s more\n", many(n, "problem"))
	}
	sayf(w, "audited %s: %s, %s, %s with %s\n", r.Data, many(r.Buckets, "bucket"), many(r.Versions, "version"),
		many(r.Uploads, "unfinished upload"), many(r.Parts, "part"))
	sayf(w, "  in the index  %s, %s\n", many(r.Inline, "blob"), size(r.InlineBytes))
	sayf(w, "  in files      %s, %s\n", many(r.Files, "blob"), size(r.FileBytes))
	if r.Changes > 0 {
		sayf(w, "  in journals   %s\n", many(r.Changes, "change"))
	}
	if !r.OK {
		return nil // the error says so
	}
	_, err := sayln(w, "nothing is wrong")
	return err
}
