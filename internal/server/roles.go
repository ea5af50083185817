package server

import (
	"net/http"
	"slices"
	"strings"

	"github.com/stocktake/stocktake/internal/server/listen"
)

// Roles of a process among those that share a database.
const (
	RoleAPI       = "api"       // it answers requests
	RoleWorker    = "worker"    // it makes runs
	RoleScheduler = "scheduler" // it may become the process that records due runs, and the one that delivers notices
)

// allRoles are the roles of a process that has no Roles.
var allRoles = []string{RoleAPI, RoleWorker, RoleScheduler}

// has reports whether the process has a role.
func (c *Config) has(role string) bool { return slices.Contains(c.Roles, role) }

// checkRoles refuses roles that a process cannot have, and settings that are for
// another role.
func (c *Config) checkRoles() error {
	for i, role := range c.Roles {
		switch {
		case !slices.Contains(allRoles, role):
			return badSetting("roles", "%q is not one of %s", role, strings.Join(allRoles, ", "))
		case slices.Contains(c.Roles[:i], role):
			return badSetting("roles", "%s is named twice", role)
		}
	}
	switch {
	case len(c.Roles) < len(allRoles) && c.Database == "":
		return badSetting("roles", "needs --database: a single server has all roles")
	case !c.has(RoleAPI) && len(c.Buckets) > 0:
		return badSetting("bucket", "needs the role api: without it no request reaches the bucket in this server's data folder")
	case !c.has(RoleAPI) && c.ConsoleListen != "" && !c.ConsoleIfFree:
		return badSetting("console-listen", "needs the role api: the console uses the API")
	}
	return nil
}

// forRoles returns the handler of a process: without the role api only the paths below
// /-/ are answered.
func (s *Server) forRoles(api http.Handler) http.Handler {
	if s.cfg.has(RoleAPI) {
		return api
	}
	admin := s.accessed(func(r *http.Request) string { return r.Method + " " + s.pathOf(r) }, listen.Hasty(s.admin))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/-/") {
			admin.ServeHTTP(w, r)
			return
		}
		http.Error(w, "this server answers no requests of the API: it was started without the role api (--roles); ask another one", http.StatusServiceUnavailable)
	})
}
