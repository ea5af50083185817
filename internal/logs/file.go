package logs

import (
	"os"
	"sync"
)

// A File is a file that lines are appended to. It can be reopened after logrotate
// has moved it. Its methods are safe for concurrent use.
type File struct {
	path string
	mu   sync.Mutex
	file *os.File
}

// Open opens the file at path, and creates it with mode 0600 if it does not exist.
// The path "-" is standard output.
func Open(path string) (*File, error) {
	f := &File{path: path}
	if path == "-" {
		f.file = os.Stdout
		return f, nil
	}
	return f, f.Reopen()
}

// Reopen opens the path again. After an error the previously opened file stays in
// use.
func (f *File) Reopen() error {
	if f.path == "-" {
		return nil
	}
	file, err := os.OpenFile(f.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	f.mu.Lock()
	old := f.file
	f.file = file
	f.mu.Unlock()
	if old != nil {
		return old.Close()
	}
	return nil
}

// Write implements [io.Writer].
func (f *File) Write(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.file.Write(p)
}

// Close closes the file, but not standard output.
func (f *File) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.path == "-" {
		return nil
	}
	return f.file.Close()
}
