package arch

// may lists what each package imports from this module. A new package gets a
// line here and an arrow in docs/architecture.md. Arrows point to the root,
// which imports the standard library only.
var may = map[string][]string{
	".":      {},
	"client": {"."},
	"report": {"."},

	"examples/delete": {"client"},
	"examples/get":    {"client"},
	"examples/list":   {"client"},
	"examples/put":    {"client"},

	"internal/arch":       {},
	"internal/catalog":    {".", "internal/inventory"},
	"internal/clock":      {},
	"internal/engine":     {".", "report"},
	"internal/inventory":  {".", "internal/clock", "internal/engine"},
	"internal/kms":        {"internal/securefile"},
	"internal/membucket":  {".", "internal/engine"},
	"internal/metrics":    {".", "internal/ossapi"},
	"internal/object":     {"."},
	"internal/ossapi":     {".", "internal/object", "internal/ram", "internal/signature"},
	"internal/ram":        {".", "internal/securefile"},
	"internal/securefile": {},
	"internal/signature":  {},
	"internal/store":      {".", "internal/engine", "internal/kms", "internal/object"},
	"internal/testserver": {},

	// The only place that names concrete types and wires them.
	"cmd/stocktake": {
		".", "client", "report",
		"internal/catalog", "internal/clock", "internal/engine", "internal/inventory", "internal/kms", "internal/metrics",
		"internal/object", "internal/ossapi", "internal/ram", "internal/signature", "internal/store",
	},
}

// mayInTests lists what the tests of a package import beyond may. A package
// itself needs no line. Test suites that several implementations run, and the
// memory bucket, are for everybody's tests.
var mayInTests = map[string][]string{}

// forTests is what any package's tests may import.
var forTests = []string{"internal/engine/sourcetest", "internal/catalog/catalogtest", "internal/membucket"}

// homes lists the packages that may import a library, by prefix of its import
// path, tests aside. A library at home in one room can be replaced there.
var homes = map[string][]string{
	"github.com/cockroachdb/pebble":         {"internal/store"},
	"modernc.org/sqlite":                    {"internal/catalog"},
	"github.com/pressly/goose":              {"internal/catalog"},
	"github.com/alecthomas/kong":            {"cmd/stocktake"},
	"github.com/knadh/koanf":                {"cmd/stocktake"},
	"github.com/schollz/progressbar":        {"cmd/stocktake"},
	"github.com/tink-crypto/tink-go":        {"internal/kms", "internal/store"},
	"github.com/klauspost/compress":         {"report"},
	"github.com/aliyun/alibabacloud-oss-go": {"client", "cmd/stocktake", "examples"},
}

// maxLines is the length of the longest file allowed.
const maxLines = 500
