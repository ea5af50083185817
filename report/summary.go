package report

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/stocktake/stocktake"
)

const (
	// maxSummarySize bounds what is read of a manifest.summary, in bytes. That of
	// a report of 10,000 shards has at most some 110 MiB, with the longest keys.
	maxSummarySize = 256 << 20

	// maxSummaryPart bounds what is decoded of it at once: one file, or any other
	// member. The longest file that Stocktake writes, with its pieces and keys, has 16 KiB.
	maxSummaryPart = 256 << 10
)

// ErrMalformed reports a file, such as a summary, that can be read but not
// understood.
var ErrMalformed = errors.New("malformed summary")

// ReadSummary reads the manifest.summary with the key given. fs.ErrNotExist if
// there is none, ErrMalformed if it is not a summary or has an unknown version.
// It holds little more than the result in memory.
func ReadSummary(ctx context.Context, b Bucket, key string) (*stocktake.Summary, error) {
	f, err := b.Open(ctx, key)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", key, err)
	}
	defer f.Close()
	in := &partReader{r: f, left: maxSummarySize}
	s, err := parseSummary(in)
	if in.err != nil {
		return nil, fmt.Errorf("read %s: %w", key, in.err)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %w", key, ErrMalformed, err)
	}
	return s, nil
}

var errSummaryVersion = errors.New("an unknown version")

// parseSummary decodes a summary file by file, so that neither its whole text nor
// an oversized part of it is ever in memory.
func parseSummary(in *partReader) (*stocktake.Summary, error) {
	dec := json.NewDecoder(in)
	in.part = maxSummaryPart
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return nil, errors.Join(errors.New("it is not a JSON object"), err)
	}
	s := &stocktake.Summary{Files: []stocktake.SummaryFile{}}
	members := map[string]json.RawMessage{}
	for n := 0; dec.More(); n++ {
		if n == maxSummaryMembers {
			return nil, fmt.Errorf("it has more than %d members", maxSummaryMembers)
		}
		in.part = maxSummaryPart
		name, err := dec.Token()
		if err != nil {
			return nil, err
		}
		if name == "files" {
			err = parseSummaryFiles(dec, in, s)
		} else {
			var raw json.RawMessage
			if err = dec.Decode(&raw); err == nil {
				members[name.(string)] = raw // names of members are strings
			}
		}
		if err != nil {
			return nil, fmt.Errorf("%.40q: %w", name, err)
		}
	}
	if _, err := dec.Token(); err != nil {
		return nil, err
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, errors.New("something follows the object")
	}
	rest, err := json.Marshal(members)
	if err == nil {
		err = json.Unmarshal(rest, s)
	}
	if err != nil {
		return nil, err
	}
	if s.Version != stocktake.SummaryVersion {
		return nil, fmt.Errorf("%d: %w", s.Version, errSummaryVersion)
	}
	return s, nil
}

// maxSummaryMembers is more than any version of a summary has.
const maxSummaryMembers = 100

func parseSummaryFiles(dec *json.Decoder, in *partReader, s *stocktake.Summary) error {
	t, err := dec.Token()
	if err != nil || t == nil { // null is an empty array
		return err
	}
	if t != json.Delim('[') {
		return errors.New("it is not an array")
	}
	for dec.More() {
		in.part = maxSummaryPart
		var f stocktake.SummaryFile
		if err := dec.Decode(&f); err != nil {
			return fmt.Errorf("%d: %w", len(s.Files), err)
		}
		if f.Key == "" {
			return fmt.Errorf("%d: it has no key", len(s.Files))
		}
		s.Files = append(s.Files, f)
	}
	_, err = dec.Token()
	return err
}

// A partReader bounds how much is read in all, and between two points where part
// is set.
type partReader struct {
	r    io.Reader
	left int64 // bytes that may still be read
	part int64 // and before part is set again
	err  error // of r, or that a bound was reached
}

func (p *partReader) Read(b []byte) (int, error) {
	if p.err != nil {
		return 0, p.err
	}
	n := min(int64(len(b)), p.left, p.part)
	if n == 0 && len(b) > 0 {
		p.err = errTooLong
		return 0, p.err
	}
	m, err := p.r.Read(b[:n])
	p.left -= int64(m)
	p.part -= int64(m)
	if err != nil && err != io.EOF {
		p.err = err
	}
	return m, err
}
