package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// indexFilesName is the file in the folder of an index that lists the others; see
// docs/formats/store.md.
const indexFilesName = "files.json"

// indexFiles are the files of an index that no process has open, with their sizes in bytes. While a
// process has it open, it is only the number of a log that the process wrote.
type indexFiles struct {
	Files map[string]int64 `json:"files,omitempty"`
	Log   uint64           `json:"log,omitempty"`
}

// ErrIncompleteIndex reports an index that lacks files, such as one that was copied in part.
var ErrIncompleteIndex = errors.New("the index is incomplete")

// checkIndexFiles compares the index in dir with the list of its files. Pebble itself opens an
// index without its newest log, as an index with fewer changes, and one without the marker of its
// manifest, as a new one. An index that was opened since the list was written is not compared.
func checkIndexFiles(fsys vfs.FS, dir string) error {
	if err := checkMarker(fsys, dir); err != nil {
		return err
	}
	path := fsys.PathJoin(dir, indexFilesName)
	f, err := fsys.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // the process was killed, or was of an earlier version
	}
	if err != nil {
		return err
	}
	b, err := io.ReadAll(f)
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	var want indexFiles
	if err := json.Unmarshal(b, &want); err != nil {
		return fmt.Errorf("%w: %s is damaged, so the folder may have been copied in part: copy the whole folder again", ErrIncompleteIndex, path)
	}
	have, err := listIndexFiles(fsys, dir)
	if err != nil {
		return err
	}
	if want.Log != 0 {
		return checkLog(fsys, dir, want.Log, path)
	}
	if have.opened() > want.opened() {
		return nil
	}
	for name, size := range want.Files {
		got, ok := have.Files[name]
		switch {
		case !ok:
			return fmt.Errorf("%w: %s (%d bytes) is missing: %s %s", ErrIncompleteIndex, fsys.PathJoin(dir, name), size, incompleteAdvice, path)
		case got != size:
			return fmt.Errorf("%w: %s has %d of %d bytes: %s %s", ErrIncompleteIndex, fsys.PathJoin(dir, name), got, size, incompleteAdvice, path)
		}
	}
	return nil
}

const incompleteAdvice = "copy or restore the whole folder again; to open the index as it is and lose what the file held, remove"

// checkLog refuses the index of a killed process in dir if it lacks a log that the process wrote
// and that is needed.
func checkLog(fsys vfs.FS, dir string, log uint64, list string) error {
	path := fsys.PathJoin(dir, fmt.Sprintf("%06d.log", log))
	_, err := fsys.Stat(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	needed, err := firstNeededLog(fsys, dir)
	if err != nil || log < needed {
		return err
	}
	return fmt.Errorf("%w: %s is missing: %s %s", ErrIncompleteIndex, path, incompleteAdvice, list)
}

// checkMarker refuses an index that Pebble would take for a new one.
func checkMarker(fsys vfs.FS, dir string) error {
	desc, err := pebble.Peek(dir, fsys)
	if err != nil || desc.Exists {
		return err
	}
	names, err := fsys.List(dir)
	for _, name := range names {
		if strings.HasSuffix(name, ".sst") || name == indexFilesName {
			return fmt.Errorf("%w: the file marker.manifest.* is missing from %s: copy or restore the whole folder again", ErrIncompleteIndex, dir)
		}
	}
	return err
}

// writeIndexFiles lists the files of the index in dir, which no process has open.
func writeIndexFiles(fsys vfs.FS, dir string) error {
	list, err := listIndexFiles(fsys, dir)
	if err != nil {
		return err
	}
	return saveIndexFiles(fsys, dir, list)
}

// writeOpenLog replaces the list of the index in dir, which this process has open, by the number of
// its newest log, so that a copy of the folder of a killed process is known to lack it.
func writeOpenLog(fsys vfs.FS, dir string) error {
	names, err := fsys.List(dir)
	if err != nil {
		return err
	}
	var list indexFiles
	for _, name := range names {
		if number, found := strings.CutSuffix(filepath.Base(name), ".log"); found {
			if n, err := strconv.ParseUint(number, 10, 64); err == nil {
				list.Log = max(list.Log, n)
			}
		}
	}
	return saveIndexFiles(fsys, dir, list)
}

func saveIndexFiles(fsys vfs.FS, dir string, list indexFiles) error {
	b, err := json.MarshalIndent(list, "", "  ")
	if err != nil {
		return err
	}
	path := fsys.PathJoin(dir, indexFilesName)
	f, err := fsys.Create(path+".tmp", vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	_, err = f.Write(append(b, '\n'))
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return errors.Join(err, fsys.Remove(path+".tmp"))
	}
	if err := fsys.Rename(path+".tmp", path); err != nil {
		return err
	}
	d, err := fsys.OpenDir(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// listIndexFiles returns the files that Pebble keeps in dir between two processes.
func listIndexFiles(fsys vfs.FS, dir string) (indexFiles, error) {
	list := indexFiles{Files: map[string]int64{}}
	names, err := fsys.List(dir)
	if err != nil {
		return list, err
	}
	for _, name := range names {
		name = filepath.Base(name)
		if name == "LOCK" || strings.HasPrefix(name, indexFilesName) || strings.HasSuffix(name, ".dbtmp") {
			continue
		}
		info, err := fsys.Stat(fsys.PathJoin(dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue // another process has the index open
		}
		if err != nil {
			return list, err
		}
		if !info.IsDir() {
			list.Files[name] = info.Size()
		}
	}
	return list, nil
}

// opened returns a number that grows each time an index is opened: that of the newest file of its
// options, which Pebble writes before it removes any file.
func (l indexFiles) opened() (last uint64) {
	for name := range l.Files {
		if number, found := strings.CutPrefix(name, "OPTIONS-"); found {
			if n, err := strconv.ParseUint(number, 10, 64); err == nil {
				last = max(last, n)
			}
		}
	}
	return last
}
