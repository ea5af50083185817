package ossapi

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/stocktake/stocktake/internal/ossapi/request"
)

// WriteOperations writes the list of operations as Markdown: the supported ones,
// then the sub-resources that are not supported. It is derived from the routing
// table, so it matches the server; docs/compatibility.md contains it.
func WriteOperations(w io.Writer) error {
	var b strings.Builder
	b.WriteString("| operation | request | RAM action | condition keys |\n|---|---|---|---|\n")
	for i := range operations {
		o := &operations[i]
		action := cmp.Or(o.Action, "that of each object")
		if o.VersionAction != "" {
			action += ", " + o.VersionAction
		}
		var keys []string
		for _, k := range o.Conditions {
			keys = append(keys, k.Key)
		}
		fmt.Fprintf(&b, "| %s | `%s` | %s | %s |\n", o.Name, requestOf(o), action, strings.Join(keys, ", "))
	}
	b.WriteString("\n| not offered | sub-resources |\n|---|---|\n")
	names := make(map[string][]string)
	for name, what := range request.NotOffered {
		names[what] = append(names[what], "`"+name+"`")
	}
	whats := make([]string, 0, len(names))
	for what := range names {
		whats = append(whats, what)
	}
	slices.Sort(whats)
	for _, what := range whats {
		slices.Sort(names[what])
		fmt.Fprintf(&b, "| %s | %s |\n", what, strings.Join(names[what], " "))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// requestOf returns the request line of an operation, such as "PUT /key?acl".
func requestOf(o *operation) string {
	s := o.Method + " " + [...]string{"/", "/", "/key"}[o.Level]
	if o.Level == request.ServiceLevel {
		s = o.Method + " / (no bucket)"
	}
	query := o.Sub
	header, isHeader := strings.CutSuffix(o.With, ":")
	if o.With != "" && !isHeader {
		query = strings.TrimPrefix(query+"&"+o.With, "&")
	}
	if query != "" {
		s = strings.Replace(s, "/", "/?", 1)
		s = strings.Replace(s, "/?key", "/key?", 1)
		s = strings.Replace(s, "?", "?"+query, 1)
	}
	if isHeader {
		s += " with " + strings.ToLower(header)
	}
	return s
}
