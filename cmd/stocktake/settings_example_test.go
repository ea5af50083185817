package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"go.yaml.in/yaml/v3"

	"github.com/stocktake/stocktake/internal/testserver"
)

var update = flag.Bool("update", false, "rewrite docs/stocktake.yaml")

// exampleValues are values of the settings that have no default.
var exampleValues = map[string]string{
	"listen-tls":          "0.0.0.0:9443",
	"console-listen":      "127.0.0.1:9001",
	"tls-cert":            "/etc/stocktake/cert.pem",
	"tls-key":             "/etc/stocktake/key.pem",
	"name":                "worker-1",
	"database":            "postgres://stocktake@db.example.com/stocktake",
	"bucket":              "[photos, reports]",
	"base-host":           "[oss.example.com]",
	"cname":               "{photos.example.com: photos}",
	"access-file":         "/etc/stocktake/access.yaml",
	"webhook":             "{ops: \"https://hooks.example.com/stocktake\"}",
	"webhook-events":      "[failed, late, recovered]",
	"webhook-secret-file": "/etc/stocktake/webhook.secret",
	"master-key-file":     "/etc/stocktake/master.key",
	"log-file":            "/var/log/stocktake.log",
	"max-connections":     "1000",
	"access-log":          "/var/log/stocktake-access.log",
	"audit-log":           "/var/log/stocktake-audit.log",
	"seed":                "any text",

	"metrics-listen":         "127.0.0.1:9002",
	"metrics-token-file":     "/etc/stocktake/metrics.token",
	"metrics-configurations": "200",

	"callback-networks": "[10.1.0.0/16]",
	"stores": `
#  - name: lake
#    kind: s3
#    endpoint: https://s3.lan:9000
#    region: us-east-1
#    addressing: path
#    ca-file: /etc/stocktake/cert.pem
#    credentials: {file: /etc/stocktake/lake-key.yaml}
#    roles: {"acs:ram::*:role/inventory-*": default}
#    buckets: ["lake-*", logs]
#    aliases: {old-logs: logs.2019}
#    requests-per-second: 500
#    concurrency: 64
#    hours: "22:00-06:00 Europe/Berlin"
#    account: "1000000000000000"
#    cross-region: false`,
}

// serveFlags are the settings that a file may have, in the order of the help.
func settingsOfServe(t *testing.T) (flags []*kong.Flag) {
	t.Helper()
	parser, err := newParser(new(cli), console{os.Stdout, os.Stderr})
	if err != nil {
		t.Fatal(err)
	}
	for _, command := range parser.Model.Children {
		if command.Name != "serve" {
			continue
		}
		for _, f := range command.Flags {
			if isSetting(f) {
				flags = append(flags, f)
			}
		}
	}
	return flags
}

func exampleSettings(t *testing.T) string {
	var b strings.Builder
	b.WriteString("# Every setting of `stocktake serve`, with its default or an example. Remove the # before a\n" +
		"# name to change it. An unknown name is an error; stocktake serve --check --config FILE tells.\n")
	group := "Server"
	fmt.Fprintf(&b, "\n## %s\n", group)
	for _, f := range settingsOfServe(t) {
		if g := f.Group; g != nil && g.Title != group {
			group = g.Title
			fmt.Fprintf(&b, "\n## %s\n", group)
		}
		value, note := f.Default, ""
		if f.IsBool() {
			value = "false"
		}
		if value == "" {
			value, note = exampleValues[f.Name], " # an example; not set by default"
			if value == "" {
				t.Errorf("exampleValues has no value of the setting %s", f.Name)
			}
		}
		if strings.HasPrefix(value, "\n") {
			fmt.Fprintf(&b, "\n# %s%s\n#%s:%s\n", f.Help, note, f.Name, value)
			continue
		}
		fmt.Fprintf(&b, "\n# %s\n#%s: %s%s\n", f.Help, f.Name, value, note)
	}
	return b.String()
}

// The example names every setting with its help, and each line of it is valid.
func TestSettingsExample(t *testing.T) {
	const path = "../../docs/stocktake.yaml"
	want := exampleSettings(t)
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("%s does not fit the flags of serve; rewrite it with: go test ./cmd/stocktake -run TestSettingsExample -update", path)
	}

	dir := t.TempDir()
	all := regexp.MustCompile(`(?m)^#([a-z-]+:|  )`).ReplaceAllString(want, "$1")
	for from, to := range map[string]string{
		"/etc/stocktake": dir, "/var/log": dir, "127.0.0.1:9000": "127.0.0.1:0", "127.0.0.1:9002": "127.0.0.1:0", "0.0.0.0:9443": "127.0.0.1:0", "./stocktake-data": dir,
		"ephemeral: false": "ephemeral: true", "migrate: false": "migrate: true",
		"seed: any text":         "seed: ''", // processes that share a database have none
		"allow-callbacks: false": "allow-callbacks: true",
	} {
		all = strings.ReplaceAll(all, from, to)
	}
	var settings map[string]any
	if err := yaml.Unmarshal([]byte(all), &settings); err != nil || len(settings) != len(settingsOfServe(t)) {
		t.Errorf("%d settings, %v; want %d", len(settings), err, len(settingsOfServe(t)))
	}
	for name, text := range map[string]string{"settings.yaml": all, "access.yaml": "", "metrics.token": strings.Repeat("t", 32), "webhook.secret": strings.Repeat("s", 32), "master.key": testserver.MasterKey, "lake-key.yaml": "access-key-id: a\naccess-key-secret: b\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := testserver.WriteCertificate(1, filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")); err != nil {
		t.Fatal(err)
	}
	t.Setenv("OSS_ACCESS_KEY_ID", "LTAIexample")
	t.Setenv("OSS_ACCESS_KEY_SECRET", "secret")
	var out strings.Builder
	if code := run(t.Context(), []string{"serve", "--check", "--config", filepath.Join(dir, "settings.yaml")}, console{&out, &out}); code != 0 {
		t.Errorf("serve --check with all of them ends with %d: %s", code, out.String())
	}
}
