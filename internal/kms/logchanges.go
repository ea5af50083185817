package kms

import (
	"encoding/json"
	"maps"
	"slices"

	"github.com/stocktake/stocktake/internal/logs"
)

// digests returns the digest of each key by its id. A digest differs if anything
// about the key does; it reveals nothing of the wrapped material.
func (s *state) digests() map[string]string {
	all := map[string]string{}
	for _, k := range s.file.Keys {
		text, err := json.Marshal(k)
		if err != nil {
			continue // strings, times and bytes
		}
		all[k.ID] = logs.Digest(text)
	}
	return all
}

// logChanges logs the keys that others have changed in the file, and who did it:
// the owner of the file, since commands write files as the user who runs them.
func (k *Keys) logChanges(before, after *state) {
	was, is := before.digests(), after.digests()
	by := k.doc.Storage.Writer()
	all := maps.Clone(was)
	maps.Copy(all, is)
	for _, id := range slices.Sorted(maps.Keys(all)) {
		change := "changed"
		switch {
		case was[id] == "":
			change = "created"
		case is[id] == "":
			change = "deleted"
		case was[id] == is[id]:
			continue
		}
		name := ""
		if key := after.keys[id]; key != nil {
			name = key.Name
		}
		k.opts.Audit.Info("encryption keys changed", "change", change, "kms_key", id, "name", name, "before", was[id], "after", is[id], "writer", by)
	}
}
