package request

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
