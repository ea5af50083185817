package main

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stocktake/stocktake/internal/terminal/terminaltest"
)

// Commands show what a hostile server answers as text, whatever it answers.
func TestHostileServer(t *testing.T) {
	urlEscaped := strings.NewReplacer("%", "%25", "\x1b", "%1B", "\u009b", "%C2%9B", "\u202e", "%E2%80%AE", "\x7f", "%7F", "\x07", "%07", "\r", "%0D", "\n", "%0A", "\t", "%09").Replace(terminaltest.Hostile)
	inText := strings.NewReplacer("\x1b", "", "\x07", "", "\r", "").Replace(terminaltest.Hostile) // what XML may hold
	quoted := strings.Trim(mustJSON(t, terminaltest.Hostile), `"`)
	run := fmt.Sprintf(`{"id":%[1]q,"bucket":%[1]q,"configuration":%[1]q,"state":%[1]q,"reason":%[1]q,"destination":%[1]q,"manifest":%[1]q,"trigger":%[1]q,"started":"2026-01-01T00:00:00Z","ended":"2026-01-01T00:00:01Z"}`, "@")
	run = strings.ReplaceAll(run, "@", quoted)
	status := `{"bucket":"` + quoted + `","configuration":"` + quoted + `","warnings":["` + quoted + `"],"last":` + run + `}`
	answers := map[string]func(w http.ResponseWriter, r *http.Request){
		"error": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/xml")
			w.WriteHeader(403)
			fmt.Fprintf(w, "<Error><Code>%[1]s</Code><Message>%[1]s</Message><RequestId>%[1]s</RequestId><EC>%[1]s</EC><ArgumentValue>%[1]s</ArgumentValue></Error>", inText)
		},
		"refusal": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(400)
			fmt.Fprintf(w, "<Error><Code>InvalidArgument</Code><Message>%[1]s</Message><ArgumentValue>%[1]s</ArgumentValue></Error>", inText)
		},
		"rubbish": func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, terminaltest.Hostile) },
		"status": func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err == nil {
				fmt.Fprintf(conn, "HTTP/1.1 403 \x1b[31m\u009b\r\nX-Oss-Request-Id: \u009b\u202e\r\nContent-Length: 0\r\n\r\n")
				conn.Close()
			}
		},
		"no HTTP": func(w http.ResponseWriter, _ *http.Request) {
			if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
				fmt.Fprint(conn, terminaltest.Hostile)
				conn.Close()
			}
		},
		"success": func(w http.ResponseWriter, r *http.Request) {
			q := r.URL.Query()
			switch {
			case strings.HasPrefix(r.URL.Path, "/-/"):
				fmt.Fprintf(w, `{"now":"2026-01-01T00:00:00Z","notices":[{"id":"%[1]s","webhook":"%[1]s","error":"%[1]s","notice":{"event":"%[1]s","run":%[2]s}}]}`, quoted, run)
			case q.Get("x-oss-stocktake") == "runs":
				fmt.Fprintf(w, `{"runs":[%s]}`, run)
			case q.Get("x-oss-stocktake") == "status":
				fmt.Fprintf(w, `{"inventories":[%s]}`, status)
			case q.Has("x-oss-stocktake") && (q.Get("x-oss-stocktake") == "run" || q.Get("x-oss-stocktake") == "cancel"):
				fmt.Fprint(w, run)
			case q.Has("x-oss-stocktake"):
				fmt.Fprint(w, status)
			case q.Has("inventory") && q.Has("inventoryId") && r.Method == "GET":
				fmt.Fprintf(w, "<InventoryConfiguration><Id>%[1]s</Id><IsEnabled>true</IsEnabled><Filter><Prefix>%[1]s</Prefix></Filter><Schedule><Frequency>Daily</Frequency></Schedule><IncludedObjectVersions>All</IncludedObjectVersions></InventoryConfiguration>", inText)
			case q.Has("inventory"):
				fmt.Fprintf(w, "<ListInventoryConfigurationsResult><InventoryConfiguration><Id>%[1]s</Id><IsEnabled>true</IsEnabled><Filter><Prefix>%[1]s</Prefix></Filter></InventoryConfiguration></ListInventoryConfigurationsResult>", inText)
			case r.URL.Path == "/":
				fmt.Fprintf(w, "<ListAllMyBucketsResult><Buckets><Bucket><Name>%[1]s</Name><StorageClass>%[1]s</StorageClass></Bucket></Buckets></ListAllMyBucketsResult>", inText)
			case q.Has("list-type") || q.Has("versions"):
				fmt.Fprintf(w, "<ListBucketResult><EncodingType>url</EncodingType><IsTruncated>false</IsTruncated><Contents><Key>inv/%[1]s/manifest.json</Key><Size>1</Size><StorageClass>%[2]s</StorageClass></Contents></ListBucketResult>", urlEscaped, inText)
			default:
				fmt.Fprintf(w, `{"creationTimestamp":"1","destBucket":"%[1]s","fileFormat":"CSV","fileSchema":"%[1]s","sourceBucket":"%[1]s","files":[{"key":"%[1]s","size":1,"MD5checksum":"%[1]s"}],"version":"%[1]s"}`, quoted)
			}
		},
	}
	t.Setenv("OSS_ACCESS_KEY_ID", "id")
	t.Setenv("OSS_ACCESS_KEY_SECRET", "secret")
	commands := [][]string{
		{"bucket", "list"},
		{"bucket", "create", "photos"},
		{"bucket", "delete", "photos"},
		{"object", "ls", "oss://photos/"},
		{"object", "ls", "oss://photos/", "--json"},
		{"inventory", "list", "-b", "photos"},
		{"inventory", "list", "-b", "photos", "--json"},
		{"inventory", "get", "-b", "photos", "-i", "daily"},
		{"inventory", "get", "-b", "photos", "-i", "daily", "-o", "xml"},
		{"inventory", "get", "-b", "photos", "-i", "daily", "-o", "json"},
		{"inventory", "put", "-b", "photos", "-i", "daily", "--destination", "photos"},
		{"inventory", "run", "-b", "photos", "-i", "daily"},
		{"inventory", "run", "-b", "photos", "-i", "daily", "--json"},
		{"inventory", "runs", "-b", "photos", "-i", "daily"},
		{"inventory", "runs", "-b", "photos", "-i", "daily", "--json"},
		{"inventory", "status", "-b", "photos", "-i", "daily"},
		{"inventory", "status", "-b", "photos", "--json"},
		{"inventory", "cancel", "-b", "photos", "-i", "daily"},
		{"inventory", "check", "-b", "photos", "-i", "daily"},
		{"inventory", "check", "-b", "photos", "-i", "daily", "--json"},
		{"inventory", "suspend", "-b", "photos", "-i", "daily"},
		{"inventory", "resume", "-b", "photos", "-i", "daily"},
		{"inventory", "retain", "-b", "photos", "-i", "daily", "--reports", "3"},
		{"inventory", "delete", "-b", "photos", "-i", "daily"},
		{"report", "ls", "oss://photos/inv"},
		{"report", "ls", "oss://photos/inv", "--json"},
		{"report", "show", "oss://photos/inv"},
		{"report", "verify", "oss://photos/inv"},
		{"report", "verify", "oss://photos/inv", "--json"},
		{"notice", "list"},
		{"notice", "list", "--json"},
		{"notice", "retry", "one"},
		{"notice", "drop", "one"},
		{"clock", "get"},
	}
	for name, answer := range answers {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(answer))
			defer server.Close()
			said := 0
			for i, command := range commands {
				if name == "no HTTP" && i%12 != 0 {
					continue // the SDK tries again, with pauses
				}
				var out, errs bytes.Buffer
				args := append(append([]string{}, command...), "--endpoint", server.URL)
				code := runArgs(t, args, &out, &errs)
				what := fmt.Sprintf("%s (exit code %d)", strings.Join(command, " "), code)
				terminaltest.Check(t, what, out.String())
				terminaltest.Check(t, what, errs.String())
				if code == 2 && strings.Contains(errs.String(), "--help") {
					t.Errorf("%s: no such command: %s", what, errs.String())
				}
				said += out.Len() + errs.Len()
			}
			if said == 0 {
				t.Error("nothing was said")
			}
		})
	}
}

func runArgs(t *testing.T, args []string, out, errs *bytes.Buffer) int {
	return run(t.Context(), args, console{out, errs})
}

func mustJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// Only package terminal prints; a row as it is in a report's file is a line of
// several texts.
func TestPrintsInOnePlace(t *testing.T) {
	mayPrint := map[string]bool{"../../internal/reporttext/manifest.go": true}
	var files []string
	for _, room := range []string{".", "../../internal/reporttext", "../../internal/transfer"} {
		some, err := filepath.Glob(filepath.Join(room, "*.go"))
		if err != nil || len(some) == 0 {
			t.Fatal(room, err)
		}
		files = append(files, some...)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") || mayPrint[file] {
			continue
		}
		set := token.NewFileSet()
		parsed, err := parser.ParseFile(set, file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			s, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			pkg, _ := s.X.(*ast.Ident)
			prints := pkg != nil && (pkg.Name == "fmt" && strings.Contains(s.Sel.Name, "rint") && !strings.HasPrefix(s.Sel.Name, "S") ||
				pkg.Name == "json" && s.Sel.Name == "NewEncoder")
			if out, ok := s.X.(*ast.SelectorExpr); ok && s.Sel.Name == "Write" {
				con, _ := out.X.(*ast.Ident)
				prints = con != nil && con.Name == "con"
			}
			if prints {
				t.Errorf("%s: %s: use package terminal", set.Position(n.Pos()), s.Sel.Name)
			}
			return true
		})
	}
}

// A listing that does not get ahead ends.
func TestEndlessListing(t *testing.T) {
	t.Setenv("OSS_ACCESS_KEY_ID", "id")
	t.Setenv("OSS_ACCESS_KEY_SECRET", "secret")
	for name, contents := range map[string]string{
		"the same page":  "<Contents><Key>a/b</Key><Size>1</Size></Contents>",
		"empty pages":    "",
		"other prefixes": "<Contents><Key>b/b</Key><Size>1</Size></Contents>",
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprintf(w, "<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>%s</NextContinuationToken>%s</ListBucketResult>", rand.Text(), contents)
		}))
		for _, command := range [][]string{{"report", "ls", "oss://photos/a"}, {"object", "rm", "-r", "oss://photos/a/"}} {
			var out, errs bytes.Buffer
			if code := runArgs(t, append(command, "--endpoint", server.URL), &out, &errs); code != 1 || !strings.Contains(errs.String(), "the server returned") {
				t.Errorf("%s, %s: exit code %d, %s", command[0], name, code, errs.String())
			}
		}
		server.Close()
	}
}

// Logs in JSON have no character that a terminal obeys.
func TestLogsInJSON(t *testing.T) {
	var out bytes.Buffer
	newLogger(&out, slog.LevelInfo, "json").Info("read failed", "key", terminaltest.Hostile)
	var line struct{ Key string }
	if err := json.Unmarshal(out.Bytes(), &line); err != nil || line.Key != terminaltest.Hostile {
		t.Errorf("%s: %q, %v", out.Bytes(), line.Key, err)
	}
	if i := strings.IndexFunc(strings.TrimSuffix(out.String(), "\n"), unprintable); i >= 0 {
		t.Errorf("%q", out.String()[i:])
	}
}

// An object whose size the server does not say is not downloaded: it might have no end.
func TestObjectWithoutSize(t *testing.T) {
	t.Setenv("OSS_ACCESS_KEY_ID", "id")
	t.Setenv("OSS_ACCESS_KEY_SECRET", "secret")
	endless := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			fmt.Fprint(w, strings.Repeat("x", 1<<16))
		}
	}))
	defer endless.Close()
	dir := t.TempDir()
	for _, to := range []string{"-", filepath.Join(dir, "x")} {
		var out, errs bytes.Buffer
		code := run(t.Context(), []string{"object", "get", "--endpoint", endless.URL, "oss://bucket/k", to}, console{&out, &errs})
		if code == 0 || !strings.Contains(errs.String(), "does not state the length") || out.Len() > 0 {
			t.Errorf("to %s: %d, %d bytes, %s", to, code, out.Len(), errs.String())
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}
