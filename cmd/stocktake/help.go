package main

import (
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// helpAll is the flag that shows the flags that --help leaves out.
const helpAll = "--help-all"

// wantsAllHelp reports whether args ask for all help, and returns them as the
// parser knows them.
func wantsAllHelp(args []string) ([]string, bool) {
	end := slices.Index(args, "--")
	if end < 0 {
		end = len(args)
	}
	i := slices.Index(args[:end], helpAll)
	if i < 0 {
		return args, false
	}
	args = slices.Clone(args)
	args[i] = "--help"
	return args, true
}

// shortenHelp hides rarely used flags, so that the help of a verb fits on a screen: the connection
// flags of most verbs, and all but the first settings of serve. The help says how to show them.
func shortenHelp(node *kong.Node) {
	for _, child := range node.Children {
		shortenHelp(child)
		var hidden, groups []string
		for _, f := range child.Flags {
			if f.Group == nil || child.Name != "serve" && f.Group.Key != "Connection" && f.Group.Key != "Stores" {
				continue
			}
			f.Hidden = true
			hidden = append(hidden, "--"+f.Name)
			if !slices.Contains(groups, f.Group.Title) {
				groups = append(groups, f.Group.Title)
			}
		}
		switch {
		case len(hidden) == 0:
		case child.Name == "serve":
			child.Detail += "\n\n" + helpAll + " shows all settings: " + strings.ToLower(strings.Join(groups, ", ")) + "."
		default:
			child.Detail += "\n\n" + groups[0] + ": " + strings.Join(hidden, ", ") + "; see " + helpAll + "."
		}
		child.Detail = strings.TrimSpace(child.Detail)
	}
}
