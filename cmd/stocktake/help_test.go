package main

import (
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// maxHelp is how many lines of 80 characters a screen shows.
const maxHelp = 50

// The help of each verb fits on a screen, and says where the rest is.
func TestHelpFitsOnAScreen(t *testing.T) {
	parser, err := newParser(new(cli), console{io.Discard, io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	help := func(args ...string) string {
		var out strings.Builder
		if code := run(t.Context(), args, console{&out, &out}); code != 0 {
			t.Errorf("%v ends with %d", args, code)
		}
		return out.String()
	}
	if n := strings.Count(help("--help"), "\n"); n > maxHelp {
		t.Errorf("stocktake --help has %d lines", n)
	}
	leaves(parser.Model.Node, "", func(node *kong.Node, words string) {
		if node.Hidden {
			return
		}
		short, all := help(append(strings.Fields(words), "--help")...), help(append(strings.Fields(words), "--help-all")...)
		if n := strings.Count(short, "\n"); n > maxHelp {
			t.Errorf("%s --help has %d lines, more than %d", words, n, maxHelp)
		}
		for _, f := range node.Flags {
			if !strings.Contains(all, "--"+f.Name) && !strings.Contains(all, "--[no-]"+f.Name) {
				t.Errorf("%s --help-all does not show --%s", words, f.Name)
			}
		}
	})
	if out := help("serve", "--help"); strings.Contains(out, "--max-runs") || !strings.Contains(out, "--help-all shows all settings") {
		t.Errorf("serve --help:\n%s", out)
	}
}

// Words after -- are not flags.
func TestHelpAllIsAFlag(t *testing.T) {
	for in, want := range map[string]string{
		"serve --help-all":             "serve --help",
		"complete -- serve --help-all": "complete -- serve --help-all",
	} {
		args, all := wantsAllHelp(strings.Fields(in))
		if got := strings.Join(args, " "); got != want || all != (in != want) {
			t.Errorf("%q is %q, %v", in, got, all)
		}
	}
}

func TestCompletions(t *testing.T) {
	parser, err := newParser(new(cli), console{io.Discard, io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	for line, want := range map[string]string{
		"inv":                          "inventory",
		"inventory re":                 "resume retain",
		"inventory put --freq":         "--frequency",
		"inventory put --frequency ":   "Daily Weekly Monthly Once",
		"inventory put --frequency We": "Weekly",
		"inventory put -b photos --frequency=Daily --disa": "--disabled",
		"inventory put -b inventory --disa":                "--disabled", // the value of -b is not a verb
		"inventory get --out":                              "--output",
		"serve --log-format ":                              "text json",
		"serve --max-r":                                    "--max-runs",
		"completion ":                                      "bash zsh fish",
		"comp":                                             "completion", // complete is for scripts
		"object put ":                                      "",           // names of files
		"nonsense x":                                       "",
	} {
		var got []string
		for _, c := range completions(parser.Model.Node, strings.Split(line, " ")) {
			got = append(got, c.word)
		}
		if !slices.Equal(got, strings.Fields(want)) {
			t.Errorf("%q becomes %q, want %q", line, got, want)
		}
	}
}

// Bash itself loads the script and gets words from it.
func TestCompletionScripts(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish"} {
		var out strings.Builder
		if code := run(t.Context(), []string{"completion", shell}, console{&out, &out}); code != 0 || !strings.Contains(out.String(), "stocktake complete -- ") {
			t.Errorf("completion %s ends with %d: %s", shell, code, out.String())
		}
	}
	script := completionScripts["bash"] + `
stocktake() { printf '%s\n' "$*" >&2; printf 'resume\tTake back\nretain\tKeep\n'; }
COMP_WORDS=(stocktake inventory re); COMP_CWORD=2
_stocktake && echo "${COMPREPLY[*]}"
`
	out, err := exec.Command("bash", "-c", script).CombinedOutput()
	if err != nil || string(out) != "resume retain\n" {
		t.Errorf("bash: %v, %q", err, out)
	}
}

// The manual page has every verb and flag, and no line of it is a macro by
// accident.
func TestMan(t *testing.T) {
	var out strings.Builder
	if code := run(t.Context(), []string{"man"}, console{&out, &out}); code != 0 {
		t.Fatalf("man ends with %d: %s", code, out.String())
	}
	page := out.String()
	parser, err := newParser(new(cli), console{io.Discard, io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	leaves(parser.Model.Node, "", func(node *kong.Node, words string) {
		if node.Hidden {
			return
		}
		if !strings.Contains(page, `.SS "stocktake `+roff(words)) {
			t.Errorf("the page has no %s", words)
		}
		for _, f := range node.Flags {
			if !strings.Contains(page, roff(f.String())) {
				t.Errorf("the page has no %s of %s", f, words)
			}
		}
	})
	macros := map[string]bool{"TH": true, "SH": true, "SS": true, "PP": true, "TP": true, "br": true}
	for line := range strings.Lines(page) {
		if name, ok := strings.CutPrefix(line, "."); ok && !macros[name[:2]] || strings.HasPrefix(line, "'") {
			t.Errorf("a line is a macro: %q", line)
		}
	}
}
