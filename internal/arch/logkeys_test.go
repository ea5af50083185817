package arch

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// logMethods are the methods of slog whose arguments are a message and attributes, with the number
// of arguments before the first key.
var logMethods = map[string]int{
	"Debug": 1, "Info": 1, "Warn": 1, "Error": 1, "With": 0, "Log": 3,
	"DebugContext": 2, "InfoContext": 2, "WarnContext": 2, "ErrorContext": 2,
	"attrs": 0, "audit": 2, "audited": 2, // functions of ours that take attributes
}

// attrTypes are the functions of slog that make an attribute.
var attrTypes = map[string]bool{
	"Any": true, "Bool": true, "Duration": true, "Float64": true, "Group": true, "Int": true, "Int64": true,
	"String": true, "Time": true, "Uint64": true,
}

// logKeys calls found for each constant key of an attribute in a file.
func logKeys(file *ast.File, found func(key string, at token.Pos)) {
	pairs := func(args []ast.Expr) {
		for i := 0; i < len(args); i += 2 {
			lit, ok := args[i].(*ast.BasicLit)
			if !ok || lit.Kind != token.STRING {
				i-- // a slog.Attr, or a list of attributes
				continue
			}
			if key, err := strconv.Unquote(lit.Value); err == nil && i+1 < len(args) {
				found(key, lit.Pos())
			}
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			switch f := n.Fun.(type) {
			case *ast.SelectorExpr:
				of, _ := f.X.(*ast.Ident)
				if of != nil && of.Name == "http" { // http.Error
					return true
				}
				if skip, ok := logMethods[f.Sel.Name]; ok && len(n.Args) > skip {
					pairs(n.Args[skip:])
				}
				if of != nil && of.Name == "slog" && attrTypes[f.Sel.Name] && len(n.Args) > 1 {
					pairs(n.Args[:2])
				}
			case *ast.Ident:
				if f.Name == "append" && len(n.Args) > 2 && attrList(n.Args[0]) {
					pairs(n.Args[1:])
				}
			}
		case *ast.CompositeLit:
			if attrList(n) {
				pairs(n.Elts)
			}
		}
		return true
	})
}

// attrList reports whether an expression is a list of attributes: it is named so, or is a literal
// []any that begins with a text.
func attrList(x ast.Expr) bool {
	switch x := x.(type) {
	case *ast.Ident:
		return x.Name == "line" || x.Name == "attrs"
	case *ast.CallExpr:
		name, ok := x.Fun.(*ast.Ident)
		return ok && strings.HasSuffix(name.Name, "Attrs")
	case *ast.CompositeLit:
		list, ok := x.Type.(*ast.ArrayType)
		if !ok || len(x.Elts) < 2 || len(x.Elts)%2 != 0 {
			return false
		}
		if element, ok := list.Elt.(*ast.Ident); !ok || element.Name != "any" {
			return false
		}
		first, ok := x.Elts[0].(*ast.BasicLit)
		return ok && first.Kind == token.STRING
	}
	return false
}

var logRow = regexp.MustCompile("(?m)^\\| (`[^|]*`) \\|")

// TestLogKeys requires that docs/logs.md lists each key of the log once, and no other: a key means
// one thing in all lines, and one thing has one key.
func TestLogKeys(t *testing.T) {
	page, err := os.ReadFile("../../docs/logs.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := make(map[string]bool)
	for _, row := range logRow.FindAllStringSubmatch(string(page), -1) {
		for key := range strings.SplitSeq(row[1], ", ") {
			key = strings.Trim(key, "`")
			if documented[key] {
				t.Errorf("docs/logs.md lists %s twice", key)
			}
			documented[key] = true
		}
	}
	used := make(map[string]bool)
	for _, s := range parsed(t, parser.SkipObjectResolution) {
		if s.test || !logs(s) {
			continue
		}
		logKeys(s.file, func(key string, _ token.Pos) {
			used[key] = true
			if !documented[key] {
				t.Errorf("%s: the key %q of a log line is not in docs/logs.md", s.path, key)
			}
		})
	}
	for key := range documented {
		if !used[key] {
			t.Errorf("docs/logs.md lists %s, which no log line has", key)
		}
	}
}

// logs reports whether a file may write log lines.
func logs(s source) bool {
	for imported := range s.imports {
		if imported == "testing" {
			return false
		}
	}
	return true
}
