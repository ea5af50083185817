package datafolder

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// A Loss is a part of a data folder that is missing, empty or damaged.
type Loss struct {
	Part    Part
	Problem string // such as "is missing"
}

// A LossError reports a data folder with lost parts.
type LossError struct {
	Folder string
	Losses []Loss
}

// Error says what is lost and what to do next.
func (e *LossError) Error() string {
	var b strings.Builder
	var accept []string
	fmt.Fprintf(&b, "the data folder %s is not whole: ", e.Folder)
	for i, l := range e.Losses {
		if i > 0 {
			b.WriteString("; ")
		}
		fmt.Fprintf(&b, "%s, which holds %s, %s", l.Part.Name, l.Part.Holds, l.Problem)
		accept = append(accept, "--accept-loss "+l.Part.Name)
	}
	fmt.Fprintf(&b, ". Restore it from a backup, or give it up for good: stocktake serve %s", strings.Join(accept, " "))
	return b.String()
}

// Options tune a check.
type Options struct {
	// Unused are parts that the settings replace by something outside the folder, so their loss
	// does not matter.
	Unused []string

	// Damaged has functions that check existing parts, by name: an error describes the damage. An
	// error that is ErrNotChecked ends the check and is returned: the part may be intact. A part
	// without a function is only checked as its kind allows.
	Damaged map[string]func(path string) error
}

// ErrNotChecked reports a part that cannot be read now for a reason unrelated to its state, such as
// a full disk or missing rights.
var ErrNotChecked = errors.New("cannot be checked")

// Check compares a data folder with its identity. The error is a *LossError if parts are lost; a
// folder without identity is in order.
func Check(dir string, opts Options) error {
	id, err := Read(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var names []string
	for name := range id.Parts {
		names = append(names, name)
	}
	return check(dir, names, opts)
}

// CheckParts does what Check does, for some parts only.
func CheckParts(dir string, names ...string) error {
	id, err := Read(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return check(dir, slices.DeleteFunc(names, func(name string) bool { return id.Parts[name].IsZero() }), Options{})
}

func check(dir string, names []string, opts Options) error {
	lost := &LossError{Folder: dir}
	for _, p := range parts { // in the order of the table
		if !slices.Contains(names, p.Name) || slices.Contains(opts.Unused, p.Name) {
			continue
		}
		problem, err := p.problem(dir)
		if err != nil {
			return fmt.Errorf("%s in the data folder %s: %w", p.Name, dir, err)
		}
		if deeper := opts.Damaged[p.Name]; problem == "" && deeper != nil {
			err = deeper(filepath.Join(dir, p.Name))
			if errors.Is(err, ErrNotChecked) {
				return fmt.Errorf("%s in the data folder %s: %w", p.Name, dir, err)
			}
			if err != nil {
				problem = "is damaged (" + err.Error() + ")"
			}
		}
		if problem != "" {
			lost.Losses = append(lost.Losses, Loss{p, problem})
		}
	}
	if len(lost.Losses) > 0 {
		return lost
	}
	return nil
}

// problem returns what is wrong with a part; "" if its kind shows no fault. The error is
// ErrNotChecked if the part cannot be read for a reason unrelated to its state.
func (p *Part) problem(dir string) (string, error) {
	path := filepath.Join(dir, p.Name)
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "is missing", nil
	case err != nil:
		return unreadable(err)
	case info.IsDir() != (p.Kind == Index || p.Kind == Blobs):
		return "is a folder instead of a file, or the reverse", nil
	case !info.IsDir() && info.Size() == 0:
		return "is empty", nil
	}
	switch p.Kind {
	case Index:
		entries, err := os.ReadDir(path)
		if err != nil {
			return unreadable(err)
		}
		if !slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return strings.HasPrefix(e.Name(), "MANIFEST-") }) {
			return "is empty", nil
		}
	case Document:
		b, err := os.ReadFile(path)
		if err != nil {
			return unreadable(err)
		}
		if !json.Valid(b) {
			return "is damaged (it is not JSON)", nil
		}
	}
	return "", nil
}

// unreadable tells a part that is damaged from one that this process may not open.
func unreadable(err error) (string, error) {
	if errors.Is(err, fs.ErrPermission) {
		return "", fmt.Errorf("%w: %w: give it to the user of the server", ErrNotChecked, err)
	}
	if errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) {
		return "", fmt.Errorf("%w: %w", ErrNotChecked, err)
	}
	return "cannot be read (" + err.Error() + ")", nil
}

// aside is part of the name to which a lost part is renamed.
const aside = ".lost-"

// ErrUnknownPart reports a name that is not that of a part.
var ErrUnknownPart = errors.New("not a part of a data folder")

// AcceptLoss gives up lost parts: it renames their remains and removes the parts from the identity.
// It does not change intact parts, so a loss may be accepted at each start, and does not return
// their names. An unknown name is ErrUnknownPart.
func AcceptLoss(dir string, names []string, now time.Time, opts Options) (givenUp []string, err error) {
	for _, name := range names {
		if _, ok := part(name); !ok {
			var known []string
			for _, p := range parts {
				known = append(known, p.Name)
			}
			return nil, fmt.Errorf("%q: %w; the parts are %s", name, ErrUnknownPart, strings.Join(known, ", "))
		}
	}
	var lost *LossError
	if err := Check(dir, opts); !errors.As(err, &lost) {
		return nil, err
	}
	suffix := aside + now.UTC().Format("20060102T150405.000Z")
	for _, l := range lost.Losses {
		if !slices.Contains(names, l.Part.Name) {
			continue
		}
		for _, entry := range append([]string{l.Part.Name}, l.Part.With...) {
			path := filepath.Join(dir, entry)
			if err := os.Rename(path, path+suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return givenUp, err
			}
		}
		err := update(filepath.Join(dir, FileName), func(id *Identity) {
			delete(id.Parts, l.Part.Name)
			for _, entry := range l.Part.With {
				delete(id.Parts, entry)
			}
		})
		if err != nil {
			return givenUp, err
		}
		givenUp = append(givenUp, l.Part.Name)
	}
	return givenUp, nil
}
