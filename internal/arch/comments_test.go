package arch

import (
	"go/ast"
	"go/parser"
	"testing"
)

// wellKnown are methods whose meaning the interface of the standard library says.
var wellKnown = map[string]bool{
	"Error": true, "Unwrap": true, "Is": true, "String": true, "Format": true,
	"Read": true, "Write": true, "Close": true, "ReadFrom": true, "WriteTo": true, "Rename": true, "Remove": true, "SyncDir": true,
	"Len": true, "Less": true, "Swap": true, "Push": true, "Pop": true, "RoundTrip": true, "ServeHTTP": true,
}

// TestExportedAreDocumented fails for a name that another package can use and that
// has no comment. Tests and the package main are exempt, as are methods of types
// that are not exported: their interface has the contract.
func TestExportedAreDocumented(t *testing.T) {
	for _, s := range parsed(t, parser.ParseComments|parser.SkipObjectResolution) {
		if s.test || s.file.Name.Name == "main" {
			continue
		}
		for _, decl := range s.file.Decls {
			switch d := decl.(type) {
			case *ast.FuncDecl:
				if d.Doc == nil && d.Name.IsExported() && !wellKnown[d.Name.Name] && exportedReceiver(d) {
					t.Errorf("%s: %s has no comment", s.path, d.Name.Name)
				}
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					for _, name := range undocumented(d, spec) {
						t.Errorf("%s: %s has no comment", s.path, name)
					}
				}
			}
		}
	}
}

// exportedReceiver reports whether a function is not a method, or one of an exported
// type.
func exportedReceiver(d *ast.FuncDecl) bool {
	if d.Recv == nil {
		return true
	}
	of := d.Recv.List[0].Type
	if star, ok := of.(*ast.StarExpr); ok {
		of = star.X
	}
	switch g := of.(type) {
	case *ast.IndexExpr:
		of = g.X
	case *ast.IndexListExpr:
		of = g.X
	}
	name, ok := of.(*ast.Ident)
	return ok && name.IsExported()
}

// undocumented returns the exported names of a declaration that have no comment: of
// their own, behind them, or above their group.
func undocumented(d *ast.GenDecl, spec ast.Spec) (names []string) {
	switch s := spec.(type) {
	case *ast.TypeSpec:
		if d.Doc == nil && s.Doc == nil && s.Comment == nil && s.Name.IsExported() {
			names = append(names, s.Name.Name)
		}
	case *ast.ValueSpec:
		for _, name := range s.Names {
			if d.Doc == nil && s.Doc == nil && s.Comment == nil && name.IsExported() {
				names = append(names, name.Name)
			}
		}
	}
	return names
}
