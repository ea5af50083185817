package report

import (
	"cmp"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/digest"
	"github.com/stocktake/stocktake/report/format"
)

// Limits bound a shard: it ends with the row that reaches either limit. The zero
// value means the defaults.
type Limits struct {
	Rows  int64 // rows of a shard; 0: DefaultShardRows
	Bytes int64 // bytes of rows before compression; 0: DefaultShardBytes

	// PieceRows is how many rows are encoded as one piece; 0: as many as the format
	// recommends.
	PieceRows int64
}

// The defaults of Limits.
const (
	DefaultShardRows  = 1_000_000
	DefaultShardBytes = 256 << 20
)

// A ShardWriter writes shards, one after another: it cuts them, counts their
// rows, hashes their stored bytes and notes where their pieces begin. Where a
// shard is cut follows from its records, not from how they were batched. It is
// not safe for concurrent use.
type ShardWriter struct {
	enc    format.Encoder
	join   format.Joiner
	limits Limits

	out         sink
	rows, raw   int64
	first, last []byte // object keys
	piece       int64  // rows of the piece that enc encodes; 0: none is begun
	index       index
}

// NewShardWriter returns a ShardWriter for reports of bucket with the columns
// given. Errors are those of [format.Format.NewEncoder].
func NewShardWriter(f Format, bucket string, columns []stocktake.Field, limits Limits) (*ShardWriter, error) {
	enc, err := f.NewEncoder(bucket, columns)
	if err != nil {
		return nil, err
	}
	join, err := f.NewJoiner(bucket, columns)
	if err != nil {
		return nil, err
	}
	limits.Rows = cmp.Or(limits.Rows, DefaultShardRows)
	limits.Bytes = cmp.Or(limits.Bytes, DefaultShardBytes)
	limits.PieceRows = cmp.Or(limits.PieceRows, f.PieceRows())
	return &ShardWriter{enc: enc, join: join, limits: limits}, nil
}

// Describe sets the origin of the shards begun from now on.
func (s *ShardWriter) Describe(o format.Origin) { s.join.Describe(o) }

// Begin begins a shard whose bytes go to w, dropping one that was not ended.
func (s *ShardWriter) Begin(w io.Writer) error {
	s.Drop()
	s.out.begin(w)
	s.rows, s.raw, s.piece = 0, 0, 0
	s.first, s.last = s.first[:0], s.last[:0]
	s.index.reset()
	return s.join.Begin(&s.out)
}

var errNoShard = errors.New("no shard was begun")

// Write adds the records of batch until the shard is full and returns how many
// it took; with n < len(batch) the rest belongs to the next shard. Before Begin
// and after End it is an error.
func (s *ShardWriter) Write(batch []stocktake.Record) (n int, err error) {
	if s.out.stream == nil {
		return 0, errNoShard
	}
	batch = batch[:min(int64(len(batch)), s.limits.Rows-s.rows)]
	if len(batch) == 0 || s.Full() {
		return 0, nil
	}
	if s.rows == 0 {
		s.first = append(s.first, batch[0].Key...)
	}
	careful := s.raw+bound(batch) > s.limits.Bytes
	for n < len(batch) && !s.Full() {
		if s.piece == 0 {
			s.index.add(s.rows, s.out.written(), batch[n].Key)
			s.enc.Reset(&s.out)
		}
		step := min(len(batch)-n, int(s.limits.PieceRows-s.piece))
		if careful {
			step = 1 // so that the cut is the same however records are batched
		}
		size, err := s.enc.Encode(batch[n : n+step])
		if err != nil {
			return n, err
		}
		n += step
		s.raw += size
		s.rows += int64(step)
		if s.piece += int64(step); s.piece == s.limits.PieceRows {
			if err := s.endPiece(); err != nil {
				return n, err
			}
		}
	}
	s.last = append(s.last[:0], batch[n-1].Key...)
	return n, nil
}

// endPiece ends the piece that is being encoded; if there is none it does
// nothing.
func (s *ShardWriter) endPiece() error {
	if s.piece == 0 {
		return nil
	}
	s.piece = 0
	p, err := s.enc.Close()
	if err != nil {
		return err
	}
	return s.join.Add(p)
}

// An EncodedPiece is a piece that was encoded elsewhere, by an encoder of the
// format, for the same bucket and columns.
type EncodedPiece struct {
	format.Piece
	Blocks      [][]byte // its bytes, in order
	First, Last []byte   // keys of its first and last row
}

// Join adds a piece that was encoded elsewhere, with at least one row. The
// caller adds pieces in the order of their rows, and begins another shard when
// this one is full: a piece is never divided. Before Begin and after End it is
// an error.
func (s *ShardWriter) Join(p EncodedPiece) error {
	if s.out.stream == nil {
		return errNoShard
	}
	if err := s.endPiece(); err != nil {
		return err
	}
	if s.rows == 0 {
		s.first = append(s.first, p.First...)
	}
	s.index.add(s.rows, s.out.written(), p.First)
	for _, b := range p.Blocks {
		if _, err := s.out.Write(b); err != nil {
			return err
		}
	}
	s.rows += p.Rows
	s.raw += p.Size
	s.last = append(s.last[:0], p.Last...)
	return s.join.Add(p.Piece)
}

// bound returns an upper bound of the size of the rows of batch, in bytes.
func bound(batch []stocktake.Record) int64 {
	n := int64(len(batch)) * 4096 // the bucket's name and all columns of bounded length
	for i := range batch {
		r := &batch[i]
		n += int64(3*len(r.Key) + 2*len(r.VersionID) + 2*len(r.ETag.Text))
	}
	return n
}

// Full reports whether the shard has reached a limit.
func (s *ShardWriter) Full() bool { return s.rows >= s.limits.Rows || s.raw >= s.limits.Bytes }

// A Shard describes a shard that was written.
type Shard struct {
	stocktake.SummaryFile // without its Key
	Sum                   [16]byte
}

// End writes the rest of the shard to the writer of Begin and returns its
// description.
func (s *ShardWriter) End() (Shard, error) {
	if s.out.stream == nil {
		return Shard{}, errNoShard
	}
	if err := s.endPiece(); err != nil {
		return Shard{}, err
	}
	if err := s.join.End(); err != nil {
		return Shard{}, err
	}
	if err := s.out.flush(); err != nil {
		return Shard{}, err
	}
	s.out.end() // the sums are complete
	var sh Shard
	md5Sum, sha256Sum := s.out.sums.Sum()
	sh.Sum = md5Sum
	sh.SummaryFile = stocktake.SummaryFile{
		Size:     s.out.size,
		MD5:      fmt.Sprintf("%X", sh.Sum),
		SHA256:   hex.EncodeToString(sha256Sum[:]),
		Rows:     s.rows,
		FirstKey: string(AppendKey(nil, s.first)),
		LastKey:  string(AppendKey(nil, s.last)),
		Pieces:   s.index.entries(),
	}
	return sh, nil
}

// Drop releases the resources of a shard that was begun and will not be ended.
// After End, or if no shard was begun, it does nothing.
func (s *ShardWriter) Drop() { s.out.end() }

// A sink hashes and counts what is written to it and passes it on in blocks of
// digest.PieceSize. Hashing runs in another goroutine, two shards at a time.
type sink struct {
	w    io.Writer
	err  error // of w
	size int64 // that w has taken

	sums   digest.Sums
	stream *digest.Stream // nil: no shard is begun
	block  []byte         // of stream, being filled
	n      int            // bytes in it
}

// sinkBlocks is how many blocks of a shard may wait between writing and hashing.
const sinkBlocks = 6

func (s *sink) begin(w io.Writer) {
	s.w, s.err, s.size, s.n = w, nil, 0, 0
	s.sums.Reset()
	s.stream = digest.Shared.Stream(&s.sums, sinkBlocks)
	s.block = s.stream.Next()
}

func (s *sink) Write(p []byte) (n int, err error) {
	for n < len(p) {
		if s.n == len(s.block) {
			if err := s.flush(); err != nil {
				return n, err
			}
		}
		m := copy(s.block[s.n:], p[n:])
		n, s.n = n+m, s.n+m
	}
	return n, s.err
}

// written returns how many bytes were written to the sink, including those that
// are not passed on yet.
func (s *sink) written() int64 { return s.size + int64(s.n) }

// flush passes the current block on.
func (s *sink) flush() error {
	if s.err != nil || s.n == 0 {
		return s.err
	}
	n, err := s.w.Write(s.block[:s.n])
	if err == nil && n < s.n {
		err = io.ErrShortWrite
	}
	s.size += int64(n)
	if s.err = err; err != nil {
		return err
	}
	s.stream.Put(s.n)
	s.block, s.n = s.stream.Next(), 0
	return nil
}

// end waits until everything is hashed and releases the stream.
func (s *sink) end() {
	if s.stream != nil {
		s.stream.Close()
		s.stream, s.block, s.n = nil, nil, 0
	}
}
