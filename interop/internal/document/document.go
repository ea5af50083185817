// Package document rewrites the generated parts of the project's documents.
package document

import (
	"bytes"
	"fmt"
	"os"
	"sync"
)

// Section returns what stands between the markers of the part called name in
// text:
//
//	<!-- begin NAME -->
//	<!-- end NAME -->
func Section(text []byte, name string) (before, part, after []byte, err error) {
	begin, end := []byte("<!-- begin "+name+" -->\n"), []byte("<!-- end "+name+" -->\n")
	i := bytes.Index(text, begin)
	if i < 0 {
		return nil, nil, nil, fmt.Errorf("no line %q", bytes.TrimSpace(begin))
	}
	i += len(begin)
	n := bytes.Index(text[i:], end)
	if n < 0 {
		return nil, nil, nil, fmt.Errorf("no line %q after its beginning", bytes.TrimSpace(end))
	}
	return text[:i], text[i : i+n], text[i+n:], nil
}

var updating sync.Mutex // tests that run at once have parts in one file

// Update makes part the part called name of the file at path.
func Update(path, name string, part []byte) error {
	updating.Lock()
	defer updating.Unlock()
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	before, _, after, err := Section(text, name)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return os.WriteFile(path, bytes.Join([][]byte{before, part, after}, nil), 0o644)
}

// Part returns the part called name of the file at path.
func Part(path, name string) ([]byte, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	_, part, _, err := Section(text, name)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return part, nil
}
