package datafolder

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/stocktake/stocktake/internal/securefile"
)

// FileName is the file that says what the folder holds; see
// docs/formats/folder.md.
const FileName = "folder.json"

// An Identity identifies a data folder and lists its parts.
type Identity struct {
	Version int                  `json:"version"` // 1
	ID      string               `json:"id"`      // a UUID, made with the folder
	Created time.Time            `json:"created"` // when this file was made
	Parts   map[string]time.Time `json:"parts"`   // since when the folder has each part
}

// maxFile bounds folder.json, in bytes.
const maxFile = 64 << 10

// ErrNewer reports a folder that a newer version has written.
var ErrNewer = errors.New("the data folder was written by a newer version of stocktake: run that version, or restore the folder from a backup")

// Read returns the identity of a data folder. The error is fs.ErrNotExist if the
// folder has none, as it is new or of an earlier version, and ErrNewer.
func Read(dir string) (Identity, error) {
	var id Identity
	path := filepath.Join(dir, FileName)
	b, err := securefile.Read(path, maxFile)
	if err != nil {
		return id, err
	}
	return parse(path, b)
}

func parse(path string, b []byte) (id Identity, err error) {
	d := json.NewDecoder(bytes.NewReader(b))
	if err := d.Decode(&id); err != nil || id.Version < 1 || id.ID == "" {
		return id, fmt.Errorf("%s is damaged: restore it from a backup, or remove it to accept the folder as it is", path)
	}
	if id.Version > 1 {
		return id, fmt.Errorf("%s: version %d: %w", path, id.Version, ErrNewer)
	}
	return id, nil
}

// Register adds the present parts of the folder to its identity, and creates the identity if there
// is none, which made reports. It is called after a part may have been created; a call without new
// parts is cheap.
func Register(dir string, now time.Time) (made bool, err error) {
	path := filepath.Join(dir, FileName)
	have := present(dir)
	id, err := Read(dir)
	if err == nil && !slices.ContainsFunc(have, func(name string) bool { return id.Parts[name].IsZero() }) {
		return false, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	err = update(path, func(id *Identity) {
		if made = id.ID == ""; made {
			*id = Identity{Version: 1, ID: uuid.NewString(), Created: now.UTC().Truncate(time.Second), Parts: map[string]time.Time{}}
		}
		for _, name := range have {
			if id.Parts[name].IsZero() {
				id.Parts[name] = now.UTC().Truncate(time.Second)
			}
		}
	})
	return made, err
}

// update changes the identity; change gets a zero one if there is none.
func update(path string, change func(*Identity)) error {
	doc := securefile.Document[Identity]{
		Storage: securefile.NewFile(path, maxFile),
		Parse: func(b []byte) (*Identity, error) {
			if b == nil {
				return new(Identity), nil
			}
			id, err := parse(path, b)
			return &id, err
		},
	}
	return doc.Update(func(b []byte) ([]byte, error) {
		var id Identity
		if b != nil {
			var err error
			if id, err = parse(path, b); err != nil {
				return nil, err
			}
		}
		if id.Parts == nil {
			id.Parts = map[string]time.Time{}
		}
		change(&id)
		b, err := json.MarshalIndent(id, "", "  ")
		return append(b, '\n'), err
	})
}

// present returns the parts that are in the folder and not empty.
func present(dir string) (names []string) {
	for _, p := range parts {
		if problem, err := p.problem(dir); problem == "" && err == nil {
			names = append(names, p.Name)
		}
	}
	return names
}

// Unknown returns the entries of a data folder that are neither parts nor
// temporary.
func Unknown(dir string) (names []string, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		name := e.Name()
		_, known := part(name)
		if !known && !slices.Contains(temporary, name) && name != FileName && !strings.HasSuffix(name, ".lock") && !strings.Contains(name, aside) {
			names = append(names, name)
		}
	}
	return names, nil
}

// Is reports whether a server keeps its data in a folder: it has an index and a
// catalog.
func Is(dir string) bool {
	index, err := os.Stat(filepath.Join(dir, IndexName))
	if err != nil || !index.IsDir() {
		return false
	}
	catalog, err := os.Stat(filepath.Join(dir, CatalogName))
	return err == nil && catalog.Mode().IsRegular()
}

// Contains reports whether a file created at path would be in the folder dir, with all links followed.
// The parent of path need not exist.
func Contains(dir, path string) (bool, error) {
	folder, err := os.Stat(dir)
	if err != nil {
		return false, err
	}
	parent, err := filepath.EvalSymlinks(filepath.Dir(path))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	for ; err == nil; parent = filepath.Dir(parent) {
		var info fs.FileInfo
		if info, err = os.Stat(parent); err == nil && os.SameFile(info, folder) {
			return true, nil
		}
		if parent == filepath.Dir(parent) {
			break
		}
	}
	return false, err
}
