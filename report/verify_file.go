package report

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/stocktake/stocktake"
)

// A summedFile is a shard whose stored bytes are hashed and counted as the
// reader of the format reads them. Hashing runs in another goroutine, two shards
// at a time. The caller ends it with end. It remembers an error of the bucket,
// which is not a fault of the shard. No more is read than the manifest announces,
// and one byte.
//
// The shard is read from the bucket once, from its beginning to its end, as far as
// the reader's requests ascend: bytes between two of them are hashed on the way.
// Requests for the end of the shard, where a footer is, and for earlier bytes are
// separate reads.
type summedFile struct {
	shardFile
	sums     sink
	size     int64
	err      error
	progress *progress

	whole *summedBody // reads all of the file; nil: none does

	// The beginnings of pieces are kept, so that they need not be read again.
	starts []pieceStart
	next   int // the first of starts that is not complete
}

// A pieceStart is stored bytes from the beginning of a piece on.
type pieceStart struct {
	offset int64
	stored []byte
}

// startSize is how many bytes of the beginning of a piece are kept: more than
// its first row can take.
const startSize = 32 << 10

func newSummedFile(b Bucket, file stocktake.ManifestFile, pieces []stocktake.SummaryPiece, p *progress) *summedFile {
	f := &summedFile{shardFile: shardFile{b, file}, starts: make([]pieceStart, len(pieces)), progress: p}
	f.sums.begin(io.Discard)
	for i, p := range pieces {
		f.starts[i].offset = p.Offset
	}
	return f
}

// Open implements format.File.
func (f *summedFile) Open(ctx context.Context, offset, length int64) (io.ReadCloser, error) {
	for _, s := range f.starts {
		if s.offset == offset && s.stored != nil && length <= int64(len(s.stored)) {
			return io.NopCloser(bytes.NewReader(s.stored)), nil
		}
	}
	ahead := offset >= f.size && offset <= f.file.Size
	if length < 0 && offset == 0 && f.whole == nil {
		return f.begin(ctx)
	}
	if length >= 0 && ahead && offset+length < f.file.Size {
		return f.part(ctx, offset, length)
	}
	body, err := f.shardFile.Open(ctx, offset, length)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) { // that is a shard which ends too early
		f.err = err
	}
	return body, err
}

// begin opens the whole shard.
func (f *summedFile) begin(ctx context.Context) (io.ReadCloser, error) {
	body, err := f.shardFile.Open(ctx, 0, -1)
	if err != nil {
		if !errors.Is(err, io.ErrUnexpectedEOF) {
			f.err = err
		}
		return nil, err
	}
	f.whole = &summedBody{io.LimitReader(body, f.file.Size+1), body, f}
	return f.whole, nil
}

// part returns a range of the shard that lies ahead of the bytes read so far.
func (f *summedFile) part(ctx context.Context, offset, length int64) (io.ReadCloser, error) {
	if f.whole == nil {
		if _, err := f.begin(ctx); err != nil {
			return nil, err
		}
	}
	if _, err := io.CopyN(io.Discard, f.whole, offset-f.size); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	return io.NopCloser(io.LimitReader(f.whole, length)), nil
}

// hashes returns the hashes of what was read.
func (f *summedFile) hashes() (md5Sum [16]byte, sha256Sum [32]byte, err error) {
	if err := f.sums.flush(); err != nil {
		return md5Sum, sha256Sum, err
	}
	f.sums.end()
	md5Sum, sha256Sum = f.sums.sums.Sum()
	return md5Sum, sha256Sum, nil
}

// end releases what hashing needs, and the shard.
func (f *summedFile) end() {
	f.sums.end()
	if f.whole != nil {
		_ = f.whole.Close() // the bytes read of it have been checked
	}
}

// finish hashes the bytes that were not read yet.
func (f *summedFile) finish(ctx context.Context) error {
	if f.whole == nil {
		if _, err := f.begin(ctx); err != nil {
			return err
		}
	}
	if _, err := io.CopyBuffer(io.Discard, f.whole, make([]byte, startSize)); err != nil {
		return f.err
	}
	return nil
}

// keep keeps the beginnings of pieces that lie in p, which begins at f.size.
func (f *summedFile) keep(p []byte) {
	end := f.size + int64(len(p))
	for i := f.next; i < len(f.starts) && f.starts[i].offset < end; i++ {
		s := &f.starts[i]
		from := int(s.offset + int64(len(s.stored)) - f.size)
		n := min(len(p)-from, startSize-len(s.stored))
		s.stored = append(s.stored, p[from:from+n]...)
		if len(s.stored) == startSize {
			f.next = i + 1
		}
	}
}

// A summedBody is the whole of a summedFile, being read.
type summedBody struct {
	r io.Reader
	io.Closer
	f *summedFile
}

func (b *summedBody) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	b.f.keep(p[:n])
	b.f.sums.Write(p[:n])
	b.f.size += int64(n)
	b.f.progress.add(n)
	if err != nil && err != io.EOF {
		err = fmt.Errorf("read %s: %w", b.f.file.Key, err)
		b.f.err = err
	}
	return n, err
}

// A progress reports how many stored bytes all workers have read. The zero value
// makes no call.
type progress struct {
	tell func(stored int64)
	mu   sync.Mutex
	read int64
	told int64
}

// progressBytes is how much is read between two calls of tell.
const progressBytes = 1 << 20

func (p *progress) add(n int) {
	if p.tell == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.read += int64(n); p.read-p.told >= progressBytes {
		p.told = p.read
		p.tell(p.read)
	}
}
