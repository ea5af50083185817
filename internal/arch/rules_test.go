package arch

// may lists what each package imports from this module. A new package gets a
// line here and an arrow in docs/architecture.md. Arrows point to the root,
// which imports the standard library only.
var may = map[string][]string{
	".":            {},
	"client":       {".", "internal/signature", "inventoryxml"},
	"inventoryxml": {".", "internal/ossxml"},
	"report":       {".", "internal/csvrow", "internal/digest", "internal/ordered", "report/csvgz", "report/csvtext", "report/format", "report/parquet", "report/rollup"},

	"report/rollup": {".", "internal/csvrow"},

	// The formats of shards, each one value of format.Format.
	"report/format":            {"."},
	"report/format/formattest": {".", "report/format"},
	"report/csvgz":             {".", "internal/csvrow", "internal/inflate", "report/csvtext", "report/format"},
	"report/csvtext":           {".", "internal/csvrow", "report/format"},
	"report/parquet":           {".", "internal/csvrow", "report/format"},
	"report/csvgz/csvgztest":   {".", "report/csvgz", "report/csvtext", "report/format"},
	"internal/csvrow":          {".", "report/format"},

	"examples":         {},
	"examples/delete":  {".", "client"},
	"examples/get":     {".", "client"},
	"examples/list":    {".", "client"},
	"examples/put":     {".", "client"},
	"examples/testing": {}, // a test

	// The vocabulary of object stores, and what needs no other package.
	"internal/arch":                   {},
	"internal/clock":                  {},
	"internal/configtest":             {"."}, // for tests
	"internal/digest":                 {},
	"internal/farstore":               {".", "internal/csvrow", "internal/keygen"},
	"internal/inflate":                {},
	"internal/journal":                {"."},
	"internal/keygen":                 {"."},
	"internal/memo":                   {},
	"internal/object":                 {"."},
	"internal/ordered":                {},
	"internal/outbound":               {},
	"internal/securefile":             {},
	"internal/securefile/storagetest": {"internal/securefile"}, // the contract of Storage as a test suite
	"internal/datafolder":             {"internal/securefile"},
	"internal/signature":              {},
	"internal/systemtest":             {}, // tests of the whole
	"internal/testserver":             {},
	"internal/throttle":               {},

	"internal/testprocess":  {}, // servers of others for tests
	"internal/testpostgres": {},
	"internal/testceph":     {"internal/testprocess"},
	"internal/testpipe":     {}, // connections in memory for tests

	// The contract of journals as a test suite.
	"internal/journal/journaltest": {".", "internal/journal"},

	// Who and with which key.
	"internal/kms": {"internal/logs", "internal/securefile"},
	"internal/ram": {".", "internal/logs", "internal/memo", "internal/object", "internal/securefile"},

	// One run, and the buckets it reads and writes, which do not know each other.
	"internal/engine":            {".", "internal/engine/ranges", "report", "report/format", "report/rollup", "internal/tracing"},
	"internal/engine/ranges":     {"."},
	"internal/engine/sourcetest": {".", "internal/engine"},
	"internal/dirbucket":         {".", "internal/engine"},
	"internal/remote":            {".", "internal/engine", "internal/inflate", "internal/listpage", "internal/ossxml"},
	"internal/s3bucket":          {".", "internal/ossxml", "internal/remote"},
	"internal/ossbucket":         {".", "internal/ossxml", "internal/remote"},
	"internal/listpage":          {".", "internal/ossxml"},
	"internal/largerun":          {".", "internal/engine", "report", "report/rollup"}, // for tests and benches
	"internal/membucket":         {".", "internal/configtest", "internal/engine", "internal/engine/sourcetest", "internal/keygen"},
	"internal/store":             {".", "internal/digest", "internal/engine", "internal/journal", "internal/kms", "internal/object", "internal/store/blob", "internal/store/indexlog", "internal/store/layout"},
	"internal/store/blob":        {"internal/object"},
	"internal/store/indexlog":    {},
	"internal/store/layout":      {".", "internal/object", "internal/ossxml"},
	"internal/store/seed":        {".", "internal/object", "internal/store", "internal/store/layout"}, // benches and tests

	// The stores of the settings file, by kind.
	"internal/foreign": {".", "internal/engine", "internal/human", "internal/ossbucket", "internal/remote", "internal/s3bucket", "internal/securefile", "internal/throttle", "internal/tracing"},

	// The registry: what any bucket is, and how a run reaches it.
	"internal/bucket": {".", "internal/engine", "internal/object", "internal/ram", "report"},

	// The service, and where its state is kept.
	"internal/inventory":           {".", "internal/clock", "internal/journal", "internal/logs", "internal/object", "internal/tracing", "report"},
	"internal/catalog/relational":  {".", "internal/inventory", "internal/memo", "inventoryxml"},
	"internal/catalog/sqlite":      {"internal/catalog/relational", "internal/object"},
	"internal/catalog/postgres":    {"internal/catalog/relational", "internal/object"},
	"internal/securerow":           {"internal/catalog/postgres", "internal/object", "internal/securefile"}, // shared by machines
	"internal/catalog/catalogtest": {".", "internal/inventory", "inventoryxml"},
	"internal/notify":              {".", "internal/clock", "internal/inventory", "internal/outbound"},
	"internal/runner/local":        {".", "internal/engine", "internal/inventory", "internal/window", "report"},
	"internal/runner/cluster":      {".", "internal/catalog/postgres", "internal/catalog/relational", "internal/engine", "internal/inventory", "internal/object", "internal/runner/local", "internal/throttle"},
	"internal/window":              {".", "internal/engine", "internal/journal", "report", "report/csvtext"},
	"internal/take":                {".", "internal/engine", "inventoryxml", "report"},
	"internal/take/places":         {"internal/dirbucket", "internal/engine", "internal/foreign", "internal/take", "internal/throttle", "report"},
	"internal/retention":           {".", "internal/engine", "internal/inventory", "report"},

	// OSS over HTTP, and the figures of all of it.
	"internal/ossapi":           {".", "internal/lifecycle", "internal/logs", "internal/object", "internal/ossapi/bucketxml", "internal/ossapi/postform", "internal/ossapi/request", "internal/ossxml", "internal/outbound", "internal/ram", "internal/signature", "inventoryxml"},
	"internal/ossapi/bucketxml": {".", "internal/object", "internal/ossapi/request", "internal/ossxml"},
	"internal/ossapi/postform":  {"internal/ossapi/request"},
	"internal/ossapi/request":   {".", "internal/object", "internal/ossxml", "internal/ram", "internal/signature"},
	"internal/ossxml":           {"."},
	"internal/sts":              {".", "internal/object", "internal/ossxml", "internal/ram", "internal/signature"},
	"internal/logs":             {},
	"internal/tracing":          {"internal/logs"},
	"internal/tracing/otlp":     {"internal/tracing"},
	"internal/accesslog":        {"internal/ossapi", "internal/signature"},
	"internal/metrics":          {".", "internal/inventory", "internal/ossapi", "internal/throttle"},

	// Pages for people: a client of the OSS API in the same process.
	"internal/console/session": {},
	"internal/console/snippet": {".", "internal/human", "inventoryxml"},
	"internal/console":         {".", "client", "internal/console/session", "internal/console/snippet", "internal/human", "internal/object", "internal/ram", "internal/signature", "inventoryxml", "report", "report/rollup"},

	// What happens to objects by itself.
	"internal/lifecycle": {".", "internal/clock", "internal/object"},

	// The only place that names concrete types and wires them.
	// Its listeners, and the handlers of the account's own paths below /-/.
	"internal/server/listen": {},
	"internal/server/admin":  {"internal/catalog/sqlite", "internal/clock", "internal/datafolder", "internal/inventory", "internal/metrics", "internal/notify", "internal/object", "internal/ram", "internal/server/listen", "internal/signature", "internal/store"},

	"internal/server": {
		".", "report", "report/rollup",
		"internal/accesslog", "internal/bucket", "internal/catalog/postgres", "internal/catalog/relational", "internal/catalog/sqlite", "internal/clock", "internal/console", "internal/datafolder", "internal/engine", "internal/foreign", "internal/inventory", "internal/journal", "internal/kms", "internal/lifecycle",
		"internal/logs", "internal/metrics", "internal/notify", "internal/object", "internal/ossapi", "internal/ossapi/request", "internal/outbound", "internal/ram", "internal/retention",
		"internal/runner/cluster", "internal/runner/local", "internal/securefile", "internal/securerow", "internal/server/admin", "internal/server/listen", "internal/store", "internal/sts", "internal/tracing",
	},

	// The same server inside the tests of other programs.
	"stocktaketest": {"client", "internal/server"},

	// Flags in, words out.
	"internal/human":    {},
	"internal/terminal": {"internal/human"},
	"internal/browse":   {".", "internal/human", "report", "report/rollup"},

	"internal/terminal/terminaltest": {"internal/human"},
	"internal/reporttext":            {".", "internal/human", "internal/terminal", "report", "report/rollup"},
	"internal/transfer":              {".", "client", "internal/datafolder", "internal/human", "internal/terminal"},

	"internal/reportfolder": {"internal/dirbucket", "report"},
	"internal/reportplace":  {"internal/human", "internal/reportfolder", "report"},

	"cmd/stocktake": {".", "client", "report", "report/rollup", "internal/browse", "internal/datafolder", "internal/dirbucket", "internal/engine", "internal/foreign", "internal/human", "internal/inventory", "internal/kms", "internal/logs", "internal/ordered", "internal/ossbucket", "internal/ossxml", "internal/ram", "internal/remote", "internal/reportfolder", "internal/reportplace", "internal/reporttext", "internal/server", "internal/store", "internal/take", "internal/take/places", "internal/terminal", "internal/throttle", "internal/tracing", "internal/tracing/otlp", "internal/transfer", "inventoryxml"},
}

// mayInTests lists what the tests of a package import beyond may: tests of a
// room may furnish it with real neighbours.
var mayInTests = map[string][]string{
	"internal/securefile": {"internal/securefile/storagetest"},
	"internal/securerow":  {"internal/securefile/storagetest", "internal/testpostgres"},

	"internal/catalog/sqlite":   {".", "internal/inventory"},
	"internal/catalog/postgres": {".", "internal/inventory"},
	"internal/runner/cluster":   {"internal/dirbucket", "internal/remote", "internal/s3bucket", "internal/throttle", "report"},

	"stocktaketest":      {"."},
	"cmd/stocktake":      {"internal/testserver"},
	"examples/testing":   {"stocktaketest"},
	"examples":           {".", "inventoryxml"},
	"internal/dirbucket": {"report"},
	"internal/accesslog": {"internal/logs"},
	"internal/engine":    {"internal/csvrow", "internal/object"},
	"internal/farstore":  {"internal/engine", "internal/listpage", "internal/remote", "internal/s3bucket", "report"},
	"internal/inventory": {"internal/catalog/sqlite", "internal/dirbucket", "internal/engine", "internal/runner/local", "report"},
	"internal/notify":    {"internal/catalog/sqlite"},
	"internal/retention": {"internal/catalog/sqlite"},
	"internal/ossapi":    {"internal/bucket", "internal/catalog/sqlite", "internal/engine", "internal/inventory", "internal/store"},
	"internal/lifecycle": {"internal/engine", "internal/store"},
	"internal/store":     {"internal/ossapi"},
	"internal/systemtest": {
		".", "client", "internal/bucket", "internal/catalog/sqlite", "internal/clock", "internal/datafolder", "internal/engine", "internal/inventory", "internal/kms", "internal/object", "internal/ossapi", "internal/ram",
		"internal/runner/local", "internal/signature", "internal/store", "internal/testserver", "inventoryxml", "report",
	},
	"internal/ossbucket":   {".", "internal/engine", "internal/throttle", "stocktaketest"},
	"internal/remote":      {"internal/ossbucket", "internal/s3bucket", "internal/throttle"},
	"internal/console":     {"internal/foreign", "internal/server", "stocktaketest"},
	"internal/server":      {"internal/tracing/otlp", "client", "internal/signature", "internal/testserver", "stocktaketest"},
	"internal/take":        {"internal/foreign"},
	"internal/reportplace": {"."},
	"internal/browse":      {"internal/dirbucket", "internal/engine"},
	"internal/sts":         {"internal/bucket", "internal/ossapi", "internal/store"},
	"report":               {"internal/engine"},
}

// forTests is what any package's tests may import: test suites that several
// implementations run, the bucket in memory, and stores filled for a test.
var forTests = []string{"internal/configtest", "internal/engine/sourcetest", "internal/farstore", "internal/journal/journaltest", "internal/keygen", "internal/largerun", "internal/catalog/catalogtest", "internal/testpostgres", "internal/testceph", "internal/testpipe", "internal/membucket", "internal/store/seed", "internal/terminal/terminaltest", "report/csvgz/csvgztest", "report/format/formattest"}

// homes lists the packages that may import a library, by prefix of its import
// path, tests aside. A library at home in one room can be replaced there.
var homes = map[string][]string{
	"github.com/cockroachdb/pebble":         {"internal/store", "internal/store/blob", "internal/store/indexlog", "internal/store/layout", "internal/store/seed"},
	"modernc.org/sqlite":                    {"internal/catalog/sqlite"},
	"github.com/pressly/goose":              {"internal/catalog/postgres", "internal/catalog/sqlite"},
	"github.com/jackc/pgx":                  {"internal/catalog/postgres", "internal/runner/cluster", "internal/securerow"},
	"github.com/riverqueue/river":           {"internal/catalog/postgres", "internal/runner/cluster"},
	"encoding/xml":                          {"examples"}, // all others use internal/ossxml
	"github.com/alecthomas/kong":            {"cmd/stocktake"},
	"github.com/knadh/koanf":                {"cmd/stocktake"},
	"github.com/schollz/progressbar":        {"internal/transfer"},
	"charm.land/bubbletea":                  {"internal/browse"},
	"github.com/charmbracelet/x":            {"internal/browse", "cmd/stocktake"},
	"github.com/tink-crypto/tink-go":        {"internal/kms", "internal/store"},
	"github.com/klauspost/compress":         {"report/csvgz/csvgztest", "report/parquet"},
	"github.com/aws/aws-sdk-go-v2":          {"internal/foreign", "internal/s3bucket"},
	"github.com/aws/smithy-go":              {"internal/foreign", "internal/s3bucket"},
	"golang.org/x/time":                     {"internal/throttle"},
	"github.com/prometheus/client_golang":   {"internal/metrics", "cmd/stocktake"},
	"go.opentelemetry.io/otel/sdk":          {"internal/tracing/otlp"},
	"go.opentelemetry.io/otel/exporters":    {"internal/tracing/otlp"},
	"go.opentelemetry.io/otel":              {"internal/tracing", "internal/tracing/otlp"},
	"github.com/aliyun/alibabacloud-oss-go": {"client", "cmd/stocktake", "examples", "internal/console", "internal/foreign", "internal/ossbucket", "internal/transfer", "stocktaketest"},
}

// maxRootFiles is how many files the root package may have, tests aside.
const maxRootFiles = 14

// maxLines is the length of the longest file allowed, maxTestLines that of a
// test: a table may be long.
const (
	maxLines     = 500
	maxTestLines = 700
)
