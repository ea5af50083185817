package engine

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
)

// A publication is the report of a run as it is recorded before any of its files is
// written. It does not contain the directory, which is derived from the start and
// from the directories in use.
type publication struct {
	Manifest []byte `json:"manifest"` // manifest.json
	Summary  []byte `json:"summary"`  // manifest.summary

	// Rollup is manifest.rollup; empty if there is none, as in records of earlier
	// versions.
	Rollup []byte `json:"rollup,omitempty"`
}

// recorders keeps compressors: to make one takes longer than to compress the publication
// of a small run.
var recorders = sync.Pool{New: func() any {
	w, _ := gzip.NewWriterLevel(nil, gzip.BestSpeed) // the level is valid
	return w
}}

// encode returns the publication as it is recorded: its files with their lengths, in
// gzip. Catalogs keep it, on many machines three times, and its keys are similar to
// each other: for ten thousand shards the result takes some megabytes instead of some
// tens.
func (p *publication) encode() ([]byte, error) {
	var out bytes.Buffer
	w := recorders.Get().(*gzip.Writer)
	defer recorders.Put(w)
	w.Reset(&out)
	head, err := json.Marshal(recordedHead{len(p.Manifest), len(p.Summary), len(p.Rollup)})
	if err != nil {
		return nil, err
	}
	for _, part := range [][]byte{append(head, '\n'), p.Manifest, p.Summary, p.Rollup} {
		if _, err := w.Write(part); err != nil {
			return nil, err
		}
	}
	err = w.Close()
	return out.Bytes(), err
}

// A recordedHead is the first line of a record: the lengths of the files that follow
// it, in bytes.
type recordedHead struct {
	Manifest int `json:"manifest"`
	Summary  int `json:"summary"`
	Rollup   int `json:"rollup"`
}

// maxRecorded bounds a file of a report that is read back, in bytes.
const maxRecorded = 1 << 31

// decodePublication reads the output of encode, or the JSON of a publication that
// earlier versions have recorded.
func decodePublication(recorded []byte) (*publication, error) {
	p := new(publication)
	if bytes.HasPrefix(recorded, []byte("{")) {
		return p, json.Unmarshal(recorded, p)
	}
	r, err := gzip.NewReader(bytes.NewReader(recorded))
	if err != nil {
		return nil, err
	}
	var line []byte
	for b := []byte{0}; ; line = append(line, b[0]) {
		if _, err := io.ReadFull(r, b); err != nil {
			return nil, err
		}
		if b[0] == '\n' {
			break
		}
	}
	var head recordedHead
	if err := json.Unmarshal(line, &head); err != nil {
		return nil, err
	}
	for _, part := range []struct {
		to     *[]byte
		length int
	}{{&p.Manifest, head.Manifest}, {&p.Summary, head.Summary}, {&p.Rollup, head.Rollup}} {
		if part.length < 0 || part.length > maxRecorded {
			return nil, fmt.Errorf("a file of %d bytes", part.length)
		}
		*part.to = make([]byte, part.length)
		if _, err := io.ReadFull(r, *part.to); err != nil {
			return nil, err
		}
	}
	switch n, err := r.Read(make([]byte, 1)); { // which checks the sum
	case n > 0:
		return nil, errors.New("more than its files")
	case err != io.EOF:
		return nil, err
	}
	return p, nil
}
