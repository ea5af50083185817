// Package gosdk runs the integration suite of the official OSS Go SDK v2, as it
// lies in the module cache, against a server.
package gosdk

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// Module is the SDK's module path.
const Module = "github.com/aliyun/alibabacloud-oss-go-sdk-v2"

// Compile builds the suite's test binary at path. It may download modules.
func Compile(ctx context.Context, path string) error {
	cmd := exec.CommandContext(ctx, "go", "test", "-c", "-tags", "integration", "-o", path, Module+"/oss")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("compile the SDK's suite: %w\n%s", err, out)
	}
	return nil
}

// Version returns the SDK's version in go.mod, and dir where its sources lie.
func Version(ctx context.Context) (version, dir string, err error) {
	var stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Version}} {{.Dir}}", Module)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", "", fmt.Errorf("find %s: %w\n%s", Module, err, stderr.Bytes())
	}
	version, dir, _ = strings.Cut(strings.TrimSpace(string(out)), " ")
	return version, dir, nil
}

// Tests returns the sorted names of the tests of the suite in the SDK's sources at dir.
// The test binary has many more, which use servers that they start themselves.
func Tests(dir string) ([]string, error) {
	files, err := filepath.Glob(filepath.Join(dir, "oss", "client_integration*_test.go"))
	if err != nil {
		return nil, err
	}
	var names []string
	for _, file := range files {
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && strings.HasPrefix(fn.Name.Name, "Test") {
				names = append(names, fn.Name.Name)
			}
		}
	}
	if len(names) == 0 {
		return nil, errors.New("no integration tests in " + dir)
	}
	slices.Sort(names)
	return names, nil
}
