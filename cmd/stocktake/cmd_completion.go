package main

import (
	"io"
	"strings"

	"github.com/alecthomas/kong"
)

// completionCmd is `stocktake completion`.
type completionCmd struct {
	Shell string `arg:"" help:"bash, zsh or fish." enum:"bash,zsh,fish"`
}

// Help is shown by --help below the arguments.
func (completionCmd) Help() string {
	return `Load it in the shell's start-up file:
  bash  source <(stocktake completion bash)
  zsh   source <(stocktake completion zsh)
  fish  stocktake completion fish | source`
}

// Run prints the script of a shell. The scripts ask this program for the words, so they need no
// update when it gets a new verb.
func (c *completionCmd) Run(con console) error {
	_, err := io.WriteString(con.out, completionScripts[c.Shell])
	return err
}

var completionScripts = map[string]string{
	"bash": `_stocktake() {
    local IFS=$'\n' line
    COMPREPLY=()
    for line in $(stocktake complete -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null); do
        COMPREPLY+=("${line%%$'\t'*}")
    done
}
complete -o bashdefault -o default -F _stocktake stocktake
`,
	"zsh": `#compdef stocktake
_stocktake() {
    local -a lines words_and_help
    local line
    lines=("${(@f)$(stocktake complete -- "${(@)words[2,CURRENT]}" 2>/dev/null)}")
    for line in $lines; do
        words_and_help+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}")
    done
    if (( $#words_and_help )); then
        _describe stocktake words_and_help
    else
        _files
    fi
}
compdef _stocktake stocktake
`,
	"fish": `function __stocktake_complete
    set -l words (commandline -opc) (commandline -ct)
    stocktake complete -- $words[2..-1] 2>/dev/null
end
complete -c stocktake -f -n '__stocktake_complete | string length -q' -a '(__stocktake_complete)'
`,
}

// completeCmd is the command that the shells' scripts call.
type completeCmd struct {
	Words []string `arg:"" optional:""`
}

// Run prints the completions of the last word, a line each: the word, a tab and its
// help. No line means a file name or free text.
func (c *completeCmd) Run(con console, line *kong.Context) error {
	for _, w := range completions(line.Model.Node, c.Words) {
		if _, err := sayf(con.out, "%s\t%s\n", w.word, w.help); err != nil {
			return err
		}
	}
	return nil
}

type completion struct{ word, help string }

// completions returns the completions of the last of words.
func completions(node *kong.Node, words []string) (all []completion) {
	if len(words) == 0 {
		words = []string{""}
	}
	last := words[len(words)-1]
	var value *kong.Flag // that the last word is the value of
	for _, w := range words[:len(words)-1] {
		if value != nil {
			value = nil
			continue
		}
		if strings.HasPrefix(w, "-") {
			name, _, has := strings.Cut(w, "=")
			if f := flagOf(node, name); f != nil && !f.IsBool() && !has {
				value = f
			}
			continue
		}
		for _, child := range node.Children {
			if child.Name == w && !child.Hidden {
				node = child
				break
			}
		}
	}
	add := func(word, help string) {
		if word != "" && strings.HasPrefix(word, last) { // without an enum, its only value is empty
			first, _, _ := strings.Cut(help, ". ")
			all = append(all, completion{word, strings.TrimSuffix(first, ".")})
		}
	}
	switch {
	case value != nil:
		for _, v := range value.EnumSlice() {
			add(v, "")
		}
	case strings.HasPrefix(last, "-"):
		for n := node; n != nil; n = n.Parent {
			for _, f := range n.Flags {
				add("--"+f.Name, f.Help)
			}
		}
	default:
		for _, child := range node.Children {
			if !child.Hidden {
				add(child.Name, child.Help)
			}
		}
		for _, p := range node.Positional {
			for _, v := range p.EnumSlice() {
				add(v, "")
			}
		}
	}
	return all
}

// flagOf returns the flag of a verb that a word such as --bucket or -b names.
func flagOf(node *kong.Node, word string) *kong.Flag {
	for n := node; n != nil; n = n.Parent {
		for _, f := range n.Flags {
			if word == "--"+f.Name || f.Short != 0 && word == "-"+string(f.Short) {
				return f
			}
			for _, alias := range f.Aliases {
				if word == "--"+alias {
					return f
				}
			}
		}
	}
	return nil
}
