package foreign_test

import (
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/foreign"
)

func parse(t *testing.T, text string) ([]foreign.Settings, error) {
	t.Helper()
	var settings map[string]yaml.Node
	if err := yaml.Unmarshal([]byte(text), &settings); err != nil {
		t.Fatal(err)
	}
	n := settings["stores"]
	return foreign.Parse(&n)
}

// The example of the issue reads as it is meant.
func TestParse(t *testing.T) {
	all, err := parse(t, `
listen: 127.0.0.1:0
stores:
  - name: lake
    kind: s3
    endpoint: https://s3.lan:9000
    region: us-east-1
    addressing: path
    ca-file: /etc/lake-ca.pem
    credentials: {env: LAKE}
    roles: {"acs:ram::*:role/inventory-*": default, "*": {file: /etc/other.yaml}}
    buckets: ["lake-*", logs]
    aliases: {old-logs: logs.2019}
    requests-per-second: 500
    concurrency: 64
    hours: "22:00-06:00 Europe/Berlin"
    account: "77"
    cross-region: true
  - {name: ali, kind: oss, region: cn-shanghai, credentials: {chain: true}, buckets: [ali-*]}
`)
	if err != nil {
		t.Fatal(err)
	}
	lake, ali := all[0], all[1]
	if len(all) != 2 || lake.Line != 4 || lake.Name != "lake" || lake.VirtualHosts || !lake.CrossRegion || lake.Account != "77" ||
		lake.Limits.PerSecond != 500 || lake.Limits.Concurrency != 64 || len(lake.Roles) != 2 || lake.Roles[0].Credentials != nil || lake.Roles[1].Credentials.String() != "{file: /etc/other.yaml}" {
		t.Errorf("%+v", lake)
	}
	if !ali.VirtualHosts || ali.Credentials != foreign.Chain() {
		t.Errorf("%+v", ali)
	}
	for name, want := range map[string]bool{"lake-photos": true, "logs": true, "old-logs": true, "lake": false, "logs.2019": false, "other": false} {
		if lake.Claims(name) != want {
			t.Errorf("lake claims %s: %v", name, !want)
		}
	}
}

// Each error names the line and what is wrong there.
func TestParseErrors(t *testing.T) {
	entry := func(changes ...string) string {
		lines := []string{"name: lake", "kind: s3", "credentials: {env: LAKE}", "buckets: [logs]"}
		for _, c := range changes {
			name, _, _ := strings.Cut(c, ":")
			replaced := false
			for i, l := range lines {
				if strings.HasPrefix(l, name+":") {
					lines[i], replaced = c, true
				}
			}
			if !replaced {
				lines = append(lines, c)
			}
		}
		return "stores:\n  - " + strings.Join(lines, "\n    ") + "\n"
	}
	if _, err := parse(t, entry()); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct{ text, want string }{
		"no list":             {"stores: {name: lake}", "line 1: stores: a list of stores is expected"},
		"no mapping":          {"stores: [lake]", "line 1: store 1: names and values are expected"},
		"unknown setting":     {entry("rolls: {}"), `line 6: store "lake": unknown setting "rolls"; the settings are name, kind,`},
		"no value":            {entry("region:"), `line 6: store "lake": region has no value`},
		"no name":             {"stores:\n  - kind: s3", "line 2: store 1: name is missing"},
		"bad name":            {entry("name: Lake of fire"), "up to 63 of a-z"},
		"no kind":             {"stores:\n  - name: lake", "kind is missing"},
		"bad kind":            {entry("kind: azure"), `line 3: store "lake": kind: "azure" is not one of s3, oss`},
		"bad endpoint":        {entry("endpoint: s3.lan:9000"), "endpoint: a URL such as"},
		"endpoint with user":  {entry("endpoint: https://a:hunter2@s3.lan"), "endpoint: a URL such as"},
		"endpoint with path":  {entry("endpoint: https://s3.lan/bucket"), "endpoint: a URL such as"},
		"bad addressing":      {entry("addressing: dns"), "is not one of path, virtual"},
		"bad region":          {entry("region: eu/central"), "is not a region"},
		"oss without region":  {entry("kind: oss"), "region is missing"},
		"no credentials":      {"stores:\n  - {name: lake, kind: s3, buckets: [logs]}", "credentials are missing"},
		"two credentials":     {entry("credentials: {env: A, file: b}"), "one of env, profile, file and chain"},
		"no chain":            {entry("credentials: {chain: false}"), "has no meaning"},
		"credentials as text": {entry("credentials: LAKE"), `line 4: store "lake": credentials: names and values are expected`},
		"key in the file":     {entry("credentials: {id: a, secret: hunter2}"), `unknown setting "id"`},
		"role to nothing":     {entry(`roles: {"*": other}`), `line 6: store "lake": roles: "*": "other": default is expected`},
		"roles as a list":     {entry(`roles: ["*"]`), "names and values are expected"},
		"no buckets":          {"stores:\n  - {name: lake, kind: s3, credentials: {env: A}}", "buckets is missing"},
		"buckets as text":     {entry("buckets: logs"), "a list is expected"},
		"bad pattern":         {entry(`buckets: ["lo[gs]"]`), "neither the name of a bucket nor a pattern"},
		"alias of no bucket":  {entry("aliases: {old_logs: logs}"), `"old_logs" is not the name of a bucket`},
		"alias to no bucket":  {entry("aliases: {old-logs: L}"), `line 6: store "lake": aliases: old-logs: "L" is not the name of a bucket in a store of kind s3`},
		"alias to nothing":    {entry("aliases: {old-logs: }"), `line 6: store "lake": aliases: "old-logs": a text is expected`},
		"capitals":            {entry("buckets: [My.Logs]"), `line 5: store "lake": buckets: OSS clients do not send the name "My.Logs": give the bucket another name on this server with aliases: {my-logs: My.Logs}`},
		"a bucket of nothing": {entry("buckets: [\"\"]"), `line 5: store "lake": buckets: a text is expected`},
		"bad rate":            {entry("requests-per-second: -1"), "is not a number from 0"},
		"bad rate 2":          {entry("requests-per-second: NaN"), "is not a number from 0"},
		"bad concurrency":     {entry("concurrency: 1.5"), "is not a whole number"},
		"bad hours":           {entry("hours: night"), "a beginning and an end are expected"},
		"bad account":         {entry("account: me"), `line 6: store "lake": account "me": 1 to 32 digits`},
		"bad cross-region":    {entry("cross-region: maybe"), "true or false is expected"},
		"name twice":          {entry() + "  - {name: lake, kind: s3, credentials: {env: A}, buckets: [photos]}", `line 6: store "lake": line 2 already has a store of this name`},
		"claimed twice":       {entry() + "  - {name: pond, kind: s3, credentials: {env: A}, buckets: [\"l*\"]}", `line 6: store "pond": store "lake" (line 2) also claims the bucket logs`},
		"patterns overlap":    {entry(`buckets: ["lake-*"]`) + "  - {name: pond, kind: s3, credentials: {env: A}, buckets: [\"*-logs\"]}", "also claims the bucket lake-logs"},
		"alias claimed":       {entry() + "  - {name: pond, kind: s3, credentials: {env: A}, aliases: {logs: x-logs}}", "also claims the bucket logs"},
	} {
		_, err := parse(t, tt.text)
		if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(err.Error(), "line ") {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the error repeats a secret: %v", name, err)
		}
	}
	// A literal name that an alias renames may belong to the other.
	if _, err := parse(t, entry("aliases: {old-logs: photos}")+"  - {name: pond, kind: s3, credentials: {env: A}, buckets: [photos]}"); err != nil {
		t.Error(err)
	}
}

// Buckets of S3 whose names OSS does not allow are named by aliases.
func TestNeedsAlias(t *testing.T) {
	s := foreign.Settings{Kind: foreign.S3, Aliases: map[string]string{"old-logs": "Old.Logs"}}
	for nameInStore, want := range map[string]string{"logs": "", "logs.v2": "logs-v2", "My_Logs": "my-logs", "Old.Logs": ""} {
		if alias, ok := s.NeedsAlias(nameInStore); ok != (want != "") || ok && alias != want || !foreign.S3.ValidBucket(nameInStore) {
			t.Errorf("%s: %q, %v, want %q", nameInStore, alias, ok, want)
		}
	}
	// Commands without a settings file, such as take, may use its own name.
	s.Name, s.Credentials, s.Buckets = "s3", foreign.Chain(), []string{"My_Logs"}
	if nameInStore, ok := s.Locate("My_Logs"); s.Validate() != nil || !ok || nameInStore != "My_Logs" {
		t.Errorf("My_Logs is %q, %v, %v", nameInStore, ok, s.Validate())
	}
	if foreign.OSS.ValidBucket("Logs") || foreign.S3.ValidBucket("Kelvin") {
		t.Error("a name is taken that is not one")
	}
}

func TestValidS3BucketName(t *testing.T) {
	for name, want := range map[string]bool{
		"logs": true, "my.logs_2019": true, "a-b": true, "ab": false, "-ab": false, "a..b": false, "Logs": false, "a/b": false, "ab.": false,
	} {
		if stocktake.ValidS3BucketName(name) != want {
			t.Errorf("%s: %v", name, !want)
		}
	}
}

// TestEachKindOpens fails for a kind that settings may name and that has no client
// in open.go.
func TestEachKindOpens(t *testing.T) {
	t.Setenv("LAKE_ACCESS_KEY_ID", "k")
	t.Setenv("LAKE_ACCESS_KEY_SECRET", "s")
	for _, kind := range foreign.Kinds {
		s := foreign.Settings{Name: "lake", Kind: kind, Region: "cn-hangzhou", Credentials: foreign.Env("LAKE"), Buckets: []string{"*"}}
		if _, err := foreign.Open(s, nil); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
	}
}
