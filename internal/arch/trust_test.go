package arch

import (
	"os"
	"regexp"
	"testing"
)

// Every test and script that docs/trust.md names exists.
func TestPromisesAreHeld(t *testing.T) {
	page, err := os.ReadFile("../../docs/trust.md")
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]bool{}
	for _, s := range sources(t) {
		if !s.test {
			continue
		}
		text, err := os.ReadFile("../../" + s.path)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range regexp.MustCompile(`(?m)^func (Test\w+)\(`).FindAllSubmatch(text, -1) {
			tests[string(name[1])] = true
		}
	}
	named := regexp.MustCompile("`(Test[A-Za-z0-9]+)`").FindAllSubmatch(page, -1)
	scripts := regexp.MustCompile("script `([a-z]+)`").FindAllSubmatch(page, -1)
	if len(named) < 30 || len(scripts) < 3 {
		t.Fatalf("the page names %d tests and %d scripts", len(named), len(scripts))
	}
	for _, name := range named {
		if !tests[string(name[1])] {
			t.Errorf("docs/trust.md names %s, which does not exist", name[1])
		}
	}
	for _, name := range scripts {
		if _, err := os.Stat("../../cmd/stocktake/testdata/script/" + string(name[1]) + ".txtar"); err != nil {
			t.Errorf("docs/trust.md: %v", err)
		}
	}
}
