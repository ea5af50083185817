package ossapi_test

import (
	"os"
	"strings"
	"testing"

	"github.com/stocktake/stocktake/internal/ossapi"
)

// asksForItself lists the operations without a RAM action of their own, and why.
var asksForItself = map[string]string{
	"DeleteMultipleObjects": "it asks for each object",
	"PostObject":            "it asks for oss:PutObject when the form has said who signed it and which key it is",
	"OptionBucket":          "browsers do not sign preflight requests",
	"OptionObject":          "browsers do not sign preflight requests",
}

// TestOperationsAreComplete names what a row of the routing table lacks. After all
// tests, another check verifies that a request has tried each operation.
func TestOperationsAreComplete(t *testing.T) {
	docs, err := os.ReadFile("../../docs/compatibility.md")
	check(t, err)
	names := map[string]bool{}
	for _, o := range ossapi.Operations() {
		if names[o.Name] {
			t.Errorf("%s is in the table twice", o.Name)
		}
		names[o.Name] = true
		if !o.Handled {
			t.Errorf("%s has no handler", o.Name)
		}
		for _, action := range []string{o.Action, o.VersionAction} {
			if action != "" && !strings.HasPrefix(action, "oss:") {
				t.Errorf("%s: %q is not a RAM action of OSS", o.Name, action)
			}
		}
		if (o.Action == "") != (asksForItself[o.Name] != "") {
			t.Errorf("%s: the RAM action is %q; an operation without one is listed in asksForItself, with the reason", o.Name, o.Action)
		}
		if !strings.Contains(string(docs), "\n| "+o.Name+" | ") {
			t.Errorf("%s is not in the table of operations in docs/compatibility.md", o.Name)
		}
	}
	for name := range asksForItself {
		if !names[name] {
			t.Errorf("asksForItself lists %s, which is not an operation", name)
		}
	}
}
