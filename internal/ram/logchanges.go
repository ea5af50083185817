package ram

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/stocktake/stocktake/internal/logs"
	"github.com/stocktake/stocktake/internal/securefile"
)

// An auditedPart is a part of a directory whose changes are logged.
type auditedPart struct{ kind, account, name string }

// auditedParts returns the parts of the directory, each with a text that differs if the
// part changed. The texts are compared and never printed. They do not contain
// secrets.
func (s *state) auditedParts() map[auditedPart]string {
	all := map[auditedPart]string{}
	for id := range s.accounts {
		all[auditedPart{"account", id, id}] = ""
	}
	for id, k := range s.keys {
		all[auditedPart{"key", k.Account, id}] = fmt.Sprint(k.User, k.Disabled)
	}
	for r, u := range s.users {
		all[auditedPart{"user", r.account, r.name}] = strings.Join(u.Policies, ",")
	}
	for r, role := range s.roles {
		all[auditedPart{"role", r.account, r.name}] = fmt.Sprintf("%s %d %s", strings.Join(role.Policies, ","), role.MaxSession, role.Trust)
	}
	for r, p := range s.policies {
		all[auditedPart{"policy", r.account, r.name}] = string(p.Document)
	}
	return all
}

// logChanges logs each account, key, user, role and policy that another process has
// changed in the files. The author is the owner of the file, since commands write
// files as the user who runs them.
func (d *Directory) logChanges(before, after *state) {
	was, is := before.auditedParts(), after.auditedParts()
	by := d.doc.Storage.Writer()
	if before.declared != after.declared {
		by = securefile.LastWriter(d.opts.Declared)
	}
	all := maps.Clone(was)
	maps.Copy(all, is)
	order := slices.SortedFunc(maps.Keys(all), func(a, b auditedPart) int {
		return strings.Compare(a.kind+"\x00"+a.account+"\x00"+a.name, b.kind+"\x00"+b.account+"\x00"+b.name)
	})
	for _, f := range order {
		old, had := was[f]
		text, has := is[f]
		change := "changed"
		switch {
		case !had:
			change = "created"
		case !has:
			change = "deleted"
		case old == text:
			continue
		}
		d.opts.Audit.Info("accounts changed", "change", change, "kind", f.kind, "name", f.name, "account", f.account,
			"before", digest(old, had), "after", digest(text, has), "writer", by)
	}
}

// digest returns the digest of the text of a part; empty if there is no such part.
func digest(text string, exists bool) string {
	if !exists {
		return ""
	}
	return logs.Digest([]byte(text))
}
