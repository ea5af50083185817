package request

import (
	"errors"
	"net/http"
	"strings"
)

// Errors of routing.
var (
	ErrNotImplemented = errors.New("not implemented")
	ErrMethod         = errors.New("the method is not for this resource")
)

// A Level is what the URL of a request names.
type Level uint8

// The levels of the API.
const (
	ServiceLevel Level = iota
	BucketLevel
	ObjectLevel
)

// Extension is the parameter of all operations that OSS does not have. It
// starts with x-oss- because signature V1 signs no other unknown parameter.
const Extension = "x-oss-stocktake"

// An Operation is one row of the routing table. H is the type of handlers.
type Operation[H any] struct {
	// Name is the name of the API reference of OSS, such as "PutObject". It is
	// unique.
	Name string

	Method string
	Level  Level
	Sub    string // sub-resource: the parameter that selects the operation; empty: none does

	// With is a further condition: "name" or "name=value" for a parameter, "Name:"
	// for a header in canonical form. Operations with a condition take precedence
	// over those without one.
	With string

	// Action is the RAM action that the caller needs. VersionAction is the one if
	// versionId is present; if empty, Action applies. If Action is empty, the handler
	// checks the rights itself.
	Action, VersionAction string

	// Conditions are the condition keys that policies may use for this operation, in
	// addition to those of every request. Other keys are absent, whatever the query
	// contains.
	Conditions []Condition

	CreatesBucket bool // the bucket need not exist
	AnyStore      bool // it also works on buckets of stores named in the settings file
	Handle        H
}

// A Condition is a condition key of policies and the parameter that holds its
// value. A missing parameter is an empty value.
type Condition struct{ Key, Parameter string }

// Listing holds the condition keys of operations that list keys.
//
// Source: OSS user guide, RAM policies, condition keys oss:Prefix and
// oss:Delimiter.
var Listing = []Condition{{"oss:Prefix", "prefix"}, {"oss:Delimiter", "delimiter"}}

// fits reports whether the condition holds. An empty header counts as present.
func (o *Operation[H]) fits(r *http.Request, q Params) bool {
	if name, ok := strings.CutSuffix(o.With, ":"); ok {
		return len(r.Header[name]) > 0
	}
	name, want, valued := strings.Cut(o.With, "=")
	value, ok := q.Lookup(name)
	return o.With == "" || ok && (!valued || value == want)
}

// Routes finds operations.
type Routes[H any] struct {
	at           map[place][]*Operation[H] // those with a condition first
	subresources [ObjectLevel + 1]map[string]bool
	known        map[string]bool // sub-resources of any level
}

// A place is the key under which operations are looked up.
type place struct {
	method string
	level  Level
	sub    string
}

// NewRoutes returns the routes to operations.
func NewRoutes[H any](operations []Operation[H]) *Routes[H] {
	t := &Routes[H]{at: make(map[place][]*Operation[H]), known: make(map[string]bool)}
	for l := range t.subresources {
		t.subresources[l] = make(map[string]bool)
	}
	for i := range operations {
		o := &operations[i]
		at := place{o.Method, o.Level, o.Sub}
		if o.With != "" {
			t.at[at] = append([]*Operation[H]{o}, t.at[at]...)
		} else {
			t.at[at] = append(t.at[at], o)
		}
		if o.Sub != "" {
			t.subresources[o.Level][o.Sub] = true
			t.known[o.Sub] = true
		}
	}
	return t
}

// Find returns the operation of a request. Errors: ErrNotImplemented, ErrMethod,
// *stocktake.InvalidArgumentError for two sub-resources at once.
//
// A sub-resource of OSS that is not supported, or not on this level, returns
// ErrNotImplemented for every method: the request never falls through to the
// operation on the bucket or object itself. Find ignores unknown parameters, as OSS
// does. OSS has no preconditions for changes to objects either; see
// checkPreconditions.
func (t *Routes[H]) Find(r *http.Request, level Level, q Params) (*Operation[H], error) {
	sub := ""
	for _, p := range q {
		switch {
		case t.subresources[level][p.Name]:
			if sub != "" {
				return nil, InvalidArgument(p.Name, p.Value, "it does not go together with "+sub)
			}
			sub = p.Name
		case NotOffered[p.Name] != "", t.known[p.Name] && !isFilter(level, p.Name):
			return nil, ErrNotImplemented
		}
	}
	for _, o := range t.at[place{r.Method, level, sub}] {
		if o.fits(r, q) && (!q.Has(Extension) || strings.HasPrefix(o.With, Extension)) {
			return o, checkPreconditions(r, level, sub)
		}
	}
	if q.Has(Extension) {
		return nil, ErrNotImplemented // an unknown extension
	}
	return nil, ErrMethod
}

// isFilter reports whether a parameter that is a sub-resource elsewhere filters
// the operation on this level: ListBuckets takes tagging.
func isFilter(level Level, name string) bool { return level == ServiceLevel && name == "tagging" }

// checkPreconditions rejects preconditions of changes to objects, because a client
// that relies on one must not have it ignored. InitiateMultipartUpload, which
// changes no object, accepts dates and ignores them.
//
// Source: suite of Alibaba's first Go SDK, TestMultipartNegative.
func checkPreconditions(r *http.Request, level Level, sub string) error {
	if level != ObjectLevel || r.Method == http.MethodGet || r.Method == http.MethodHead {
		return nil
	}
	names := []string{"If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since"}
	if sub == "uploads" {
		names = names[:2]
	}
	for _, name := range names {
		if len(r.Header[name]) > 0 {
			return ErrNotImplemented
		}
	}
	return nil
}
