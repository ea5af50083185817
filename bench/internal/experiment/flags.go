package experiment

import (
	"errors"
	"flag"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Parse reads the flags of a command; more is an error.
func Parse(flags *flag.FlagSet, args []string) error {
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	return nil
}

// shown returns the command line that a result states, without the flags that
// name folders of the machine.
func shown(flags *flag.FlagSet) []string {
	args := []string{flags.Name()}
	flags.Visit(func(f *flag.Flag) {
		switch b, _ := f.Value.(interface{ IsBoolFlag() bool }); {
		case f.Name == "dir", f.Name == "tools", f.Name == "results":
		case b != nil && b.IsBoolFlag():
			args = append(args, "-"+f.Name+"="+f.Value.String())
		default:
			args = append(args, "-"+f.Name, f.Value.String())
		}
	})
	return args
}

// A setting is a flag that is checked when it is read.
type setting[T any] struct {
	text  string
	value T
	read  func(text string) (T, error)
}

func (s *setting[T]) String() string { return s.text }

func (s *setting[T]) Set(text string) error {
	value, err := s.read(text)
	if err != nil {
		return err
	}
	s.text, s.value = text, value
	return nil
}

// Set adds a setting with its default, which is read like any other.
func Set[T any](flags *flag.FlagSet, name, text, usage string, read func(text string) (T, error)) *T {
	s := &setting[T]{read: read}
	if err := s.Set(text); err != nil {
		panic(fmt.Sprintf("bench: default of -%s: %v", name, err))
	}
	flags.Var(s, name, usage)
	return &s.value
}

// AtLeast reads a number with a lower bound.
func AtLeast(least int) func(text string) (int, error) {
	return func(text string) (int, error) {
		n, err := strconv.ParseInt(text, 0, strconv.IntSize)
		if err != nil || n < int64(least) {
			return 0, fmt.Errorf("not a number of at least %d", least)
		}
		return int(n), nil
	}
}

// Within reads a number with two bounds.
func Within(least, most int) func(text string) (int, error) {
	return func(text string) (int, error) {
		n, err := AtLeast(least)(text)
		if err == nil && n > most {
			err = fmt.Errorf("more than %d", most)
		}
		return n, err
	}
}

// Numbers reads numbers of 1 and more between commas.
func Numbers(text string) (all []int, err error) {
	for one := range strings.SplitSeq(text, ",") {
		n, err := AtLeast(1)(one)
		if err != nil {
			return nil, err
		}
		all = append(all, n)
	}
	return all, nil
}

// Positive reads a duration above 0.
func Positive(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		return 0, errors.New("not a duration above 0, such as 5s")
	}
	return d, nil
}

// OneOf reads names between commas, each of which is known.
func OneOf(text string, known []string) ([]string, error) {
	names := strings.Split(text, ",")
	for _, name := range names {
		if !slices.Contains(known, name) {
			return nil, fmt.Errorf("%q is not one of %q", name, known)
		}
	}
	return names, nil
}
