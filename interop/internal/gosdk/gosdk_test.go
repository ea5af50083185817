package gosdk

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestTests(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "oss"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"client_integration_b_test.go": "package oss\nfunc TestB(t *testing.T) {}\nfunc testHelper() {}\nfunc (x T) TestMethod() {}\n",
		"client_integration_test.go":   "package oss\nfunc TestA(t *testing.T) {}\n",
		"signer_test.go":               "package oss\nfunc TestUnit(t *testing.T) {}\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, "oss", name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := Tests(dir)
	if want := []string{"TestA", "TestB"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%q, %v; want %q", got, err, want)
	}
	if _, err := Tests(t.TempDir()); err == nil {
		t.Error("no error for a folder without tests")
	}
}

func TestVerdict(t *testing.T) {
	for _, tt := range []struct {
		output string
		want   Status
	}{
		{"=== RUN   TestX\n--- PASS: TestX (0.01s)\nPASS\n", Pass},
		{"=== RUN   TestX\n--- SKIP: TestX (0.01s)\nPASS\n", Skip},
		{"=== RUN   TestXY\n--- PASS: TestXY (0.01s)\nPASS\n", Fail},
		{"testing: warning: no tests to run\nPASS\n", Fail},
	} {
		if got := verdict("TestX", tt.output); got != tt.want {
			t.Errorf("%q: %s, want %s", tt.output, got, tt.want)
		}
	}
}
