package main

import (
	"io"
	"strings"

	"github.com/alecthomas/kong"
)

// manCmd is `stocktake man`.
type manCmd struct{}

// Help is shown by --help.
func (manCmd) Help() string {
	return `Read it with: stocktake man | man -l -`
}

// Run prints the manual page: what --help-all says of all verbs, as roff.
func (manCmd) Run(con console) error {
	var c cli
	parser, err := newParser(&c, con)
	if err != nil {
		return err
	}
	addExamples(parser.Model.Node, "")
	w := &manWriter{w: con.out}
	w.page(parser.Model)
	return w.err
}

// A manWriter writes roff, macros of man(7). The first error stays.
type manWriter struct {
	w   io.Writer
	err error
}

// macro writes a line that begins with a macro; its arguments are quoted.
func (m *manWriter) macro(name string, args ...string) {
	line := "." + name
	for _, a := range args {
		line += ` "` + strings.ReplaceAll(roff(a), `"`, `\(dq`) + `"`
	}
	m.write(line)
}

// text writes lines of text, escaped so that roff reads none of them as a macro.
func (m *manWriter) text(s string) {
	for line := range strings.SplitSeq(s, "\n") {
		line = roff(line)
		if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
			line = `\&` + line
		}
		m.write(line)
	}
}

func (m *manWriter) write(line string) {
	if m.err == nil {
		_, m.err = sayln(m.w, line)
	}
}

// roff escapes text that roff would read as a command.
func roff(s string) string {
	return strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(s)
}

func (m *manWriter) page(app *kong.Application) {
	m.macro("TH", "STOCKTAKE", "1", "", programVersion().String())
	m.macro("SH", "NAME")
	m.text("stocktake - bucket inventory for object storage")
	m.macro("SH", "SYNOPSIS")
	m.text("stocktake <command> [flags]")
	m.macro("SH", "DESCRIPTION")
	m.text(app.Help)
	m.macro("SH", "COMMANDS")
	for _, leaf := range app.Leaves(true) {
		m.verb(leaf)
	}
	m.macro("SH", "CONNECTION")
	m.text("Verbs that talk to a server have these flags.")
	for _, f := range connectionFlags(app.Node) {
		m.flag(f)
	}
	m.macro("SH", "ENVIRONMENT")
	m.text("OSS_ACCESS_KEY_ID, OSS_ACCESS_KEY_SECRET and OSS_SESSION_TOKEN are the access key to sign with; of serve, the root access key.")
	m.text(masterEnv + " is the master key of the encryption keys, 32 bytes in base64.")
	m.text("Settings of serve and of the connection have variables: STOCKTAKE_ and the name of the flag, such as STOCKTAKE_ENDPOINT.")
	m.macro("SH", "EXIT STATUS")
	m.text("0 if it was done; 1 if it failed or what was checked is wrong; 2 if the command line, the environment or a file on this machine needs correcting.")
}

// verb writes one command. Connection flags have a section of their own.
func (m *manWriter) verb(node *kong.Node) {
	m.macro("SS", node.FullPath()+arguments(node))
	m.text(node.Help)
	for line := range strings.SplitSeq(node.Detail, "\n") {
		switch {
		case strings.TrimSpace(line) == "":
			m.macro("PP")
		case strings.HasPrefix(line, "  "):
			m.macro("br")
			m.text(line)
		default:
			m.text(line)
		}
	}
	for _, p := range node.Positional {
		m.macro("TP")
		m.text("<" + p.Name + ">")
		m.text(p.Help)
	}
	for _, f := range node.Flags {
		if f.Group == nil || f.Group.Key != "Connection" {
			m.flag(f)
		}
	}
}

func arguments(node *kong.Node) (s string) {
	for _, p := range node.Positional {
		s += " " + p.Summary()
	}
	return s
}

func (m *manWriter) flag(f *kong.Flag) {
	m.macro("TP")
	m.text(f.String())
	m.text(f.Help)
}

// connectionFlags returns the flags of group Connection, each once.
func connectionFlags(node *kong.Node) (flags []*kong.Flag) {
	seen := map[string]bool{}
	for _, leaf := range node.Leaves(true) {
		for _, f := range leaf.Flags {
			if f.Group != nil && f.Group.Key == "Connection" && !seen[f.Name] {
				seen[f.Name] = true
				flags = append(flags, f)
			}
		}
	}
	return flags
}
