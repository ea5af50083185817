package server

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"sync"

	"github.com/google/uuid"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/securefile"
)

// seededIDs derives the ids of runs from the seed, so that a server that starts on an empty folder
// uses the same ids each time: by bucket, configuration and the number of the run. A later start on
// the same folder has another number, so that no id is used twice.
func seededIDs(f Folder, seed string) (func(stocktake.Run) string, error) {
	path := f.Seed()
	var kept struct {
		Starts int `json:"starts"`
	}
	b, err := securefile.Read(path, 4<<10)
	if err == nil {
		err = json.Unmarshal(b, &kept)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	kept.Starts++
	if b, err = json.Marshal(kept); err != nil {
		return nil, err
	}
	if err := securefile.Replace(path, b); err != nil {
		return nil, err
	}
	var mu sync.Mutex
	made := map[[3]string]int{}
	return func(r stocktake.Run) string {
		mu.Lock()
		defer mu.Unlock()
		of := [3]string{r.Bucket, r.Configuration, string(r.Kind)} // the numbers of kinds are independent
		made[of]++
		text := fmt.Appendf(nil, "%q %d %q %q %d", seed, kept.Starts, of[0], of[1], made[of])
		if r.Kind != stocktake.FullRun {
			text = fmt.Appendf(text, " %s", r.Kind)
		}
		return uuid.NewHash(sha256.New(), uuid.Nil, text, 8).String()
	}, nil
}
