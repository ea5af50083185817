package main

import (
	"github.com/stocktake/stocktake/internal/human"
	"github.com/stocktake/stocktake/internal/terminal"
)

// Short names for functions that most verbs use.
var (
	printable     = human.Printable
	printableText = human.PrintableLines
	unprintable   = human.Unprintable
	orDash        = human.OrDash
	count         = human.Count
	many          = human.Many
	size          = human.Size
	when          = human.When
	sayf          = terminal.Printf
	sayln         = terminal.Println
)

// jsonFlag is the flag of verbs with one result.
type jsonFlag struct {
	JSON bool `help:"Print JSON."`
}

// say prints a sentence for people, or value as one line of JSON.
func (j jsonFlag) say(con console, value any, format string, args ...any) error {
	if j.JSON {
		return terminal.NewEncoder(con.out).Encode(value)
	}
	_, err := sayf(con.out, format+"\n", args...)
	return err
}
