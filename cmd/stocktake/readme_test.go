package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestReadme does what a newcomer does in the first ten minutes: the commands of
// README.md as they stand, in their order. Only the compiler and the port differ.
func TestReadme(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, block := range regexp.MustCompile("(?s)\n```sh\n(.*?)```").FindAllStringSubmatch(string(readme), -1) {
		lines = append(lines, strings.Split(strings.TrimSpace(block[1]), "\n")...)
	}
	script := []string{
		"env STOCKTAKE_LISTEN=$ADDR", "env STOCKTAKE_ENDPOINT=$ENDPOINT", "env OSS_ACCESS_KEY_ID=", "env OSS_ACCESS_KEY_SECRET=",
		`exec sh -c 'ln -s "$(command -v stocktake)" stocktake'`,
	}
	commands := 0
	for _, line := range lines {
		line, _, _ = strings.Cut(line, " #")
		line = strings.TrimSpace(line)
		switch {
		case line == "make build": // the test has its own binary
		case line == "./stocktake serve":
			script = append(script, "exec "+line+" &server&", "ready")
		default:
			script = append(script, "exec "+line)
			commands++
		}
	}
	if commands < 8 {
		t.Fatalf("README.md has %d commands: %q", commands, lines)
	}
	script = append(script,
		"stdout '^verified: 1 file'", // the last command verifies the downloaded report
		"exec ./stocktake object ls oss://photos", "stdout hello.txt", "! stdout stocktake-data",
		"kill -INT server", "wait server",
		"-- hello.txt --", "hello", "-- folder/more.txt --", "more", "")
	file := filepath.Join(t.TempDir(), "readme.txtar")
	if err := os.WriteFile(file, []byte(strings.Join(script, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	p := scriptParams()
	p.Dir, p.Files = "", []string{file}
	testscript.Run(t, p)
}
