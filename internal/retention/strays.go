package retention

import (
	"cmp"
	"context"
	"hash/maphash"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/stocktake/stocktake/internal/engine"
	"github.com/stocktake/stocktake/report"
)

// shardName is the name of a shard as the engine makes it: a UUID of version 8.
// Shards of others, which may have been copied here, have another version.
var shardName = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}(-[0-9]+)?\.(csv\.gz|parquet)$`)

func (t *removal) isShard(key string) bool {
	name, ok := strings.CutPrefix(key, t.at.Data())
	return ok && shardName.MatchString(name)
}

// keySet are keys, kept as sorted hashes: a report of a large bucket names ten thousand shards. If
// two keys share a hash, a stray may stay.
type keySet struct {
	seed   maphash.Seed
	sorted []uint64
}

func (h *keySet) has(key string) bool {
	_, found := slices.BinarySearch(h.sorted, maphash.String(h.seed, key))
	return found
}

// keysNamedBy returns the keys that the manifests of directories name.
func (t *removal) keysNamedBy(ctx context.Context, directories []report.Directory) (keySet, error) {
	h := keySet{seed: maphash.MakeSeed()}
	for _, d := range directories {
		m, err := t.manifest(ctx, d)
		if err != nil {
			return h, err
		}
		for _, f := range m.Files {
			h.sorted = append(h.sorted, maphash.String(h.seed, f.Key))
		}
	}
	slices.Sort(h.sorted)
	return h, nil
}

// maxStrays is how many strays one pass handles; the next passes handle the others.
const maxStrays = 10_000

// removeStrays removes files that no report names after the grace time, because another server may be
// about to name them. A directory without a manifest counts only if its summary says that it
// belongs to the configuration.
func (t *removal) removeStrays(ctx context.Context, directories []report.Directory, named keySet) error {
	var found []string
	for _, d := range directories {
		if d.Manifest || !d.Summary {
			continue
		}
		if mine, err := t.summaryBelongs(ctx, d); err != nil {
			return err
		} else if !mine {
			continue
		}
		for key, err := range t.dst.List(ctx, t.at.Symlink(d.Time)) {
			if err != nil {
				return err
			}
			found = append(found, key)
		}
		if d.Checksum {
			found = append(found, d.Key+report.ChecksumName)
		}
		if d.Rollup {
			found = append(found, d.Key+report.RollupName)
		}
		found = append(found, d.Key+report.SummaryName)
	}
	for key, err := range t.dst.List(ctx, t.at.Data()) {
		if err != nil {
			return err
		}
		if len(found) >= maxStrays {
			break
		}
		if t.isShard(key) && !named.has(key) {
			found = append(found, key)
		}
	}
	id := t.Entry.Configuration.ID
	since, err := t.remover.Strays.Strays(ctx, t.Entry.Bucket, id, found, t.now)
	if err != nil || len(since) == 0 {
		return err
	}
	grace := cmp.Or(t.remover.Grace, 24*time.Hour)
	old := slices.DeleteFunc(found, func(key string) bool { return t.now.Sub(since[key]) < grace })
	if len(old) == 0 {
		return nil
	}
	if err := t.mayRemove(ctx, old); err != nil {
		return err
	}
	if err := engine.Remove(ctx, t.dst, old); err != nil {
		return err
	}
	t.log.Info("removed files that no report names", "files", len(old))
	for _, key := range old {
		delete(since, key)
	}
	rest := make([]string, 0, len(since))
	for key := range since {
		rest = append(rest, key)
	}
	_, err = t.remover.Strays.Strays(ctx, t.Entry.Bucket, id, rest, t.now)
	return err
}
