package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"syscall"

	"github.com/stocktake/stocktake/internal/server"
	"github.com/stocktake/stocktake/internal/store"
	"github.com/stocktake/stocktake/internal/terminal"
)

type storeRepair struct {
	jsonFlag
	Data string `group:"Connection" help:"Data folder of the server." default:"./stocktake-data" type:"path"`
}

// Help is shown by --help below the flags.
func (storeRepair) Help() string {
	return `The command builds a new index from all readable ranges, and takes each unreadable range from
the newest checkpoint that has it. Objects whose bytes are gone are dropped. The output lists
everything that is lost or was restored from a checkpoint. The damaged index stays in the folder
under another name. If nothing is damaged, nothing changes.`
}

// repairResult is the result for programs.
type repairResult struct {
	Data     string         `json:"data"`
	Kept     int64          `json:"kept"`             // rows of the damaged index
	Older    int64          `json:"older"`            // rows from checkpoints
	Lost     int64          `json:"lost"`             // objects
	Gaps     int64          `json:"gaps"`             // ranges that nothing has
	Damage   string         `json:"damage,omitempty"` // where the damaged index is; empty: there was no damage
	Problems []auditProblem `json:"problems"`
}

// Run repairs the index.
func (c *storeRepair) Run(ctx context.Context, con console) error {
	folder := server.Folder(c.Data)
	if st, err := os.Stat(folder.Index()); err != nil || !st.IsDir() {
		return usagef("--data: %s is not a store: it has no folder named index", c.Data)
	}
	if err := folder.Check(); err != nil {
		return err
	}
	res := repairResult{Data: c.Data, Problems: []auditProblem{}}
	done, err := store.Repair(ctx, c.Data, newLogger(con.err, slog.LevelError, "text"), func(p store.Problem) {
		if c.JSON {
			res.Problems = append(res.Problems, auditProblem(p))
			return
		}
		sayf(con.out, "%s\n", printable(p.String()))
	})
	switch {
	case errors.Is(err, syscall.EAGAIN):
		return fmt.Errorf("another server is using the folder %s: stop it", c.Data)
	case err != nil:
		return err
	case c.JSON:
		res.Kept, res.Older, res.Lost, res.Gaps, res.Damage = done.Kept, done.Older, done.Lost, done.Gaps, done.Damage
		return terminal.PrintJSON(con.out, res)
	case done.Damage == "":
		_, err = sayln(con.out, "the index has no damage")
		return err
	}
	sayf(con.out, "repaired %s: kept %s, took %s from checkpoints, lost %s and %s\n", c.Data, many(done.Kept, "row"), many(done.Older, "row"),
		many(done.Lost, "object"), many(done.Gaps, "range"))
	_, err = sayln(con.out, "the damaged index is in "+done.Damage)
	return err
}
