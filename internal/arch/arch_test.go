package arch

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/stocktake/stocktake"

// A source is one parsed Go file.
type source struct {
	path  string // from the root of the module
	pkg   string // its folder, "." for the root
	test  bool
	lines int
	file  *ast.File
}

// imports yields the import paths of s.
func (s source) imports(yield func(string) bool) {
	for _, spec := range s.file.Imports {
		p, err := strconv.Unquote(spec.Path.Value)
		if err == nil && !yield(p) {
			return
		}
	}
}

// sources parses every Go file of the main module; a folder with a go.mod of
// its own is another module.
func sources(t *testing.T) []source {
	t.Helper()
	return parsed(t, parser.ImportsOnly|parser.ParseComments)
}

// parsed is sources with a mode of the parser.
func parsed(t *testing.T, mode parser.Mode) []source {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	var all []source
	err = filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		if d.IsDir() {
			if rel != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" || exists(filepath.Join(name, "go.mod"))) {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(rel, ".go") {
			return nil
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, text, mode)
		if err != nil {
			return err
		}
		all = append(all, source{
			path: rel, pkg: path.Dir(rel), test: strings.HasSuffix(rel, "_test.go"),
			lines: bytes.Count(text, []byte("\n")), file: f,
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}

// internal returns the package of this module that an import path names.
func internal(importPath string) (pkg string, ok bool) {
	if importPath == module {
		return ".", true
	}
	return strings.CutPrefix(importPath, module+"/")
}

func TestImports(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range sources(t) {
		first := !seen[s.pkg]
		seen[s.pkg] = true
		allowed, listed := may[s.pkg]
		if !listed {
			if first {
				t.Errorf("package %s has no line in may (internal/arch/rules_test.go)", s.pkg)
			}
			continue
		}
		if s.test {
			allowed = slices.Concat(allowed, mayInTests[s.pkg], forTests, []string{s.pkg})
		}
		for p := range s.imports {
			if pkg, ok := internal(p); ok && !slices.Contains(allowed, pkg) {
				t.Errorf("%s imports %s, which %s may not", s.path, pkg, s.pkg)
			}
		}
	}
	for pkg := range may {
		if !seen[pkg] {
			t.Errorf("may lists %s, which has no Go files", pkg)
		}
	}
}

func TestRootIsSmall(t *testing.T) {
	var files []string
	for _, s := range sources(t) {
		if s.pkg == "." && !s.test {
			files = append(files, s.path)
		}
	}
	if len(files) > maxRootFiles {
		t.Errorf("the root package has %d files, more than %d: %v", len(files), maxRootFiles, files)
	}
}

func TestRootImportsTheStandardLibraryOnly(t *testing.T) {
	for _, s := range sources(t) {
		if s.pkg != "." || s.test {
			continue
		}
		for p := range s.imports {
			if first, _, _ := strings.Cut(p, "/"); strings.Contains(first, ".") {
				t.Errorf("%s imports %s", s.path, p)
			}
		}
	}
}

func TestLibrariesAreAtHome(t *testing.T) {
	for _, s := range sources(t) {
		if s.test {
			continue
		}
		for p := range s.imports {
			for library, rooms := range homes {
				if strings.HasPrefix(p, library) && !slices.ContainsFunc(rooms, func(room string) bool { return within(s.pkg, room) }) {
					t.Errorf("%s imports %s, which is at home in %v", s.path, p, rooms)
				}
			}
		}
	}
}

// within reports whether pkg is room or below it.
func within(pkg, room string) bool { return pkg == room || strings.HasPrefix(pkg, room+"/") }

func TestFilesAreShort(t *testing.T) {
	for _, s := range sources(t) {
		most := maxLines
		if s.test {
			most = maxTestLines
		}
		if s.lines > most {
			t.Errorf("%s has %d lines, more than %d: two rooms?", s.path, s.lines, most)
		}
	}
}

func TestPackagesSayWhatTheyAre(t *testing.T) {
	documented := map[string]bool{}
	for _, s := range sources(t) {
		if s.test {
			continue
		}
		documented[s.pkg] = documented[s.pkg] || s.file.Doc != nil
	}
	for pkg, ok := range documented {
		if !ok {
			t.Errorf("package %s has no doc comment", pkg)
		}
	}
}
