package report

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/csvrow"
)

// A changeSorter sorts changes by key, then by sequence: in memory, and beyond its
// limit in files, which are merged when they are read.
type changeSorter struct {
	limit  int64
	folder string

	columns []stocktake.Field
	enc     *csvrow.Encoder
	text    []byte // of the change being added
	size    int64
	memory  []sortedChange
	files   []*os.File
}

// A sortedChange is a change as it is sorted: as the row of a report.
type sortedChange struct {
	key      []byte
	sequence uint64
	text     []byte
}

func (c *sortedChange) compare(o *sortedChange) int {
	return cmp.Or(bytes.Compare(c.key, o.key), cmp.Compare(c.sequence, o.sequence))
}

// overhead is roughly the memory of a change besides its bytes.
const overhead = 96

// maxSortFiles is how many files are merged at once: with more, the limit is raised
// instead of opening more files.
const maxSortFiles = 256

func (s *changeSorter) begin(bucket string, columns []stocktake.Field) (err error) {
	s.columns = columns
	s.enc, err = csvrow.NewChangeEncoder(bucket, columns)
	return err
}

func (s *changeSorter) add(r *stocktake.ChangedRecord) error {
	s.text = s.enc.AppendChange(s.text[:0], r)
	s.memory = append(s.memory, sortedChange{bytes.Clone(r.Key), r.Sequence, bytes.Clone(s.text)})
	s.size += int64(len(s.text)+len(r.Key)) + overhead
	if s.size < s.limit {
		return nil
	}
	return s.spill()
}

// sort ends adding.
func (s *changeSorter) sort() error {
	if len(s.files) > 0 && len(s.memory) > 0 {
		return s.spill()
	}
	s.order()
	return nil
}

func (s *changeSorter) order() {
	slices.SortFunc(s.memory, func(a, b sortedChange) int { return a.compare(&b) })
}

// spill writes what is in memory to a file. The file is unlinked as soon as it is
// created, so that nothing of it can be left behind.
func (s *changeSorter) spill() (err error) {
	s.order()
	f, err := os.CreateTemp(s.folder, "stocktake-apply-*")
	if err != nil {
		return fmt.Errorf("sort changes in a file: %w", err)
	}
	s.files = append(s.files, f)
	if err := os.Remove(f.Name()); err != nil {
		return fmt.Errorf("sort changes in a file: %w", err)
	}
	w := bufio.NewWriterSize(f, 256<<10)
	var head []byte
	for i := range s.memory {
		c := &s.memory[i]
		head = binary.AppendUvarint(head[:0], uint64(len(c.key)))
		head = binary.AppendUvarint(head, c.sequence)
		head = binary.AppendUvarint(head, uint64(len(c.text)))
		for _, part := range [][]byte{head, c.key, c.text} {
			if _, err := w.Write(part); err != nil {
				return fmt.Errorf("sort changes in %s: %w", f.Name(), err)
			}
		}
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("sort changes in %s: %w", f.Name(), err)
	}
	s.memory, s.size = s.memory[:0], 0
	if len(s.files) == maxSortFiles {
		s.limit *= 4
	}
	return nil
}

func (s *changeSorter) close() error {
	var errs []error
	for _, f := range s.files {
		errs = append(errs, f.Close())
	}
	s.files, s.memory = nil, nil
	return errors.Join(errs...)
}

// A changeReader reads sorted changes of a range of keys.
type changeReader struct {
	keys    KeyRange
	sources []changeSource
	rows    *csvrow.Cutter
	dec     csvrow.Decoder
	text    bytes.Reader
}

// A changeSource is one sorted file, or the memory.
type changeSource struct {
	memory []sortedChange // of what follows
	file   *bufio.Reader  // nil: memory is used
	head   sortedChange   // the next
	end    bool           // there is none
}

// open begins to read the changes of a range. Several may be read at once.
func (s *changeSorter) open(keys KeyRange) (*changeReader, error) {
	r := &changeReader{keys: keys, rows: csvrow.NewCutter(nil), dec: csvrow.Decoder{Columns: s.columns}}
	for _, f := range s.files {
		info, err := f.Stat()
		if err != nil {
			return nil, err
		}
		r.sources = append(r.sources, changeSource{file: bufio.NewReaderSize(io.NewSectionReader(f, 0, info.Size()), 64<<10)})
	}
	if len(s.files) == 0 {
		from, _ := slices.BinarySearchFunc(s.memory, keys.From, func(c sortedChange, key []byte) int { return bytes.Compare(c.key, key) })
		r.sources = append(r.sources, changeSource{memory: s.memory[from:]})
	}
	for i := range r.sources {
		if err := r.sources[i].next(); err != nil {
			return nil, err
		}
	}
	return r, nil
}

func (r *changeReader) close() { r.sources = nil }

// next returns the next change; nil after the last. It is valid until the next call.
func (r *changeReader) next() (*Row, error) {
	for {
		first := -1
		for i := range r.sources {
			if s := &r.sources[i]; !s.end && (first < 0 || s.head.compare(&r.sources[first].head) < 0) {
				first = i
			}
		}
		if first < 0 {
			return nil, nil
		}
		s := &r.sources[first]
		inside, behind := r.keys.Contains(s.head.key), len(r.keys.To) > 0 && bytes.Compare(s.head.key, r.keys.To) >= 0
		if behind {
			return nil, nil
		}
		var row *Row
		var err error
		if inside {
			row, err = r.decode(s.head.text)
		}
		if err == nil {
			err = s.next()
		}
		if err != nil || inside {
			return row, err
		}
	}
}

func (r *changeReader) decode(text []byte) (*Row, error) {
	r.text.Reset(text)
	r.rows.Reset(&r.text)
	values, err := r.rows.Next()
	if err == nil {
		_, err = r.dec.Decode(values)
	}
	if err != nil {
		return nil, fmt.Errorf("read a sorted change: %w", err)
	}
	return &r.dec.Row, nil
}

// next moves to the next change of the source.
func (s *changeSource) next() error {
	if s.file == nil {
		if len(s.memory) == 0 {
			s.end = true
			return nil
		}
		s.head, s.memory = s.memory[0], s.memory[1:]
		return nil
	}
	n, err := binary.ReadUvarint(s.file)
	if err == io.EOF {
		s.end = true
		return nil
	}
	var m uint64
	if err == nil {
		s.head.sequence, err = binary.ReadUvarint(s.file)
	}
	if err == nil {
		m, err = binary.ReadUvarint(s.file)
	}
	if err == nil {
		both := make([]byte, n+m)
		_, err = io.ReadFull(s.file, both)
		s.head.key, s.head.text = both[:n:n], both[n:]
	}
	if err != nil {
		return fmt.Errorf("read sorted changes: %w", err)
	}
	return nil
}
