package interop_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The examples of docs/testing.md run unchanged, with the stocktake of this source in the path.
func TestDocumentedExamples(t *testing.T) {
	docs, err := os.ReadFile("../docs/testing.md")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Dir(build(t)) + string(os.PathListSeparator) + os.Getenv("PATH")
	run := func(t *testing.T, dir string, command ...string) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		cmd := exec.CommandContext(ctx, command[0], command[1:]...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "PATH="+path)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v: %v\n%s", command, err, out)
		}
	}
	t.Run("node", func(t *testing.T) {
		dir := npmInstall(t, "ali-oss")
		example(t, string(docs), "js", filepath.Join(dir, "photos.test.js"))
		run(t, dir, "node", "--test", "photos.test.js")
	})
	t.Run("python", func(t *testing.T) {
		if _, err := exec.LookPath("python3"); err != nil {
			t.Fatal("python3 is missing (Debian: apt-get install python3)")
		}
		dir := t.TempDir()
		example(t, string(docs), "python", filepath.Join(dir, "photos_test.py"))
		run(t, dir, "python3", "-m", "unittest", "photos_test.py")
	})
}

// example writes the one block of code in a language to a file.
func example(t *testing.T, docs, language, file string) {
	t.Helper()
	blocks := strings.Split(docs, "```"+language+"\n")
	if len(blocks) != 2 {
		t.Fatalf("%d blocks of %s, want 1", len(blocks)-1, language)
	}
	code, _, _ := strings.Cut(blocks[1], "```\n")
	if err := os.WriteFile(file, []byte(code), 0o600); err != nil {
		t.Fatal(err)
	}
}
