// Package farstore simulates a distant S3 service for tests and benchmarks of
// scans. It computes the contents of its bucket by formula, and answers each page
// of a listing after a configurable latency. It does not authenticate requests.
package farstore

import (
	"cmp"
	"context"
	"encoding/hex"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/csvrow"
	"github.com/stocktake/stocktake/internal/keygen"
)

// maxKeys bounds the rows of a page unless a request asks for fewer.
const maxKeys = 1000

// A Store is the service. It lists its one bucket under any name, by ListObjects,
// ListObjectsV2 and ListObjectVersions, without delimiters.
type Store struct {
	Bucket  *keygen.Bucket
	Latency time.Duration // of each page, and of each answer about an object
	PageMax int64         // most rows of a page; 0: 1,000

	pages, inFlight, maxInFlight, objectRequests atomic.Int64
	buffers                                      sync.Pool
}

// Stats are counts since the start.
type Stats struct {
	Pages          int64 // of listings
	MaxInFlight    int64 // most pages requested concurrently
	ObjectRequests int64 // requests about objects
}

// Stats returns the counts.
func (s *Store) Stats() Stats {
	return Stats{s.pages.Load(), s.maxInFlight.Load(), s.objectRequests.Load()}
}

// ServeHTTP implements [http.Handler].
func (s *Store) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	w.Header().Set("Content-Type", "application/xml")
	switch {
	case r.Method == http.MethodHead || q.Has("acl") || q.Has("tagging"):
		s.object(w, r, q)
	case r.Method != http.MethodGet:
		w.WriteHeader(http.StatusNotImplemented)
	case q.Has("versioning"):
		status := ""
		if s.Bucket.Versions > 1 {
			status = "<Status>Enabled</Status>"
		}
		_, _ = w.Write([]byte(header + "<VersioningConfiguration>" + status + "</VersioningConfiguration>"))
	case q.Has("location"):
		_, _ = w.Write([]byte(header + "<LocationConstraint>us-east-1</LocationConstraint>"))
	default:
		s.list(w, r, q)
	}
}

const header = `<?xml version="1.0" encoding="UTF-8"?>` + "\n"

// object answers a request about an object as if every key existed: the object is
// encrypted and private, and has as many tags as its name has bytes, up to nine.
func (s *Store) object(w http.ResponseWriter, r *http.Request, q url.Values) {
	_, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	if key == "" {
		return // of the bucket
	}
	s.objectRequests.Add(1)
	if err := wait(r.Context(), s.Latency); err != nil {
		return
	}
	switch {
	case q.Has("acl"):
		_, _ = w.Write([]byte(header + "<AccessControlPolicy><AccessControlList/></AccessControlPolicy>"))
	case q.Has("tagging"):
		_, _ = w.Write([]byte(header + "<Tagging><TagSet>" + strings.Repeat("<Tag><Key>k</Key><Value>v</Value></Tag>", min(len(key), 9)) + "</TagSet></Tagging>"))
	default:
		w.Header().Set("X-Amz-Server-Side-Encryption", "AES256")
	}
}

func (s *Store) list(w http.ResponseWriter, r *http.Request, q url.Values) {
	s.pages.Add(1)
	now := s.inFlight.Add(1)
	defer s.inFlight.Add(-1)
	for most := s.maxInFlight.Load(); now > most && !s.maxInFlight.CompareAndSwap(most, now); most = s.maxInFlight.Load() {
	}
	if err := wait(r.Context(), s.Latency); err != nil {
		return
	}
	buf, _ := s.buffers.Get().(*[]byte)
	if buf == nil {
		buf = new([]byte)
	}
	defer s.buffers.Put(buf)
	*buf = s.appendPage((*buf)[:0], q)
	w.Header().Set("Content-Length", strconv.Itoa(len(*buf)))
	_, _ = w.Write(*buf)
}

func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// appendPage appends the page that a query requests.
func (s *Store) appendPage(dst []byte, q url.Values) []byte {
	b, versions, prefix := s.Bucket, q.Has("versions"), q.Get("prefix")
	i, end := s.span(q, versions, prefix)
	most := cmp.Or(s.PageMax, maxKeys)
	if n, err := strconv.ParseInt(q.Get("max-keys"), 10, 64); err == nil && n > 0 && n < most {
		most = n
	}
	encode := escape
	if q.Get("encoding-type") == "url" {
		encode = appendURL
	}
	root := "ListBucketResult"
	if versions {
		root = "ListVersionsResult"
	}
	dst = append(append(append(dst, header+"<"...), root...), ` xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>far</Name>`...)
	if q.Get("encoding-type") == "url" {
		dst = append(dst, "<EncodingType>url</EncodingType>"...)
	}
	var r stocktake.Record
	n := int64(0)
	for ; i < end && n < most; i++ {
		if b.Fill(&r, i); !versions && !r.IsLatest {
			continue
		}
		n++
		dst = s.appendRow(dst, &r, versions, encode)
	}
	truncated := i < end && (versions || b.Versions == 1 || end-i > b.Versions-1)
	dst = append(dst, "<MaxKeys>"...)
	dst = append(strconv.AppendInt(dst, most, 10), "</MaxKeys><IsTruncated>"...)
	dst = append(strconv.AppendBool(dst, truncated), "</IsTruncated>"...)
	if truncated && q.Has("list-type") {
		dst = append(dst, "<NextContinuationToken>"...)
		dst = append(appendURL(dst, r.Key), "</NextContinuationToken>"...)
	}
	if truncated && versions {
		dst = append(encode(append(dst, "<NextKeyMarker>"...), r.Key), "</NextKeyMarker><NextVersionIdMarker>"...)
		dst = append(append(dst, r.VersionID...), "</NextVersionIdMarker>"...)
	}
	return append(append(append(dst, "</"...), root...), '>')
}

// span returns the numbers of the first row that a query requests and of the first
// row after the range that it may return.
func (s *Store) span(q url.Values, versions bool, prefix string) (from, to int64) {
	b := s.Bucket
	marker := q.Get("start-after")
	if !q.Has("list-type") {
		marker = q.Get("marker")
	}
	if token, err := url.PathUnescape(q.Get("continuation-token")); err == nil && token != "" {
		marker = token
	}
	if versions {
		marker = q.Get("key-marker")
	}
	from, to = b.Rank(prefix), b.Rows
	if prefix != "" {
		to = b.Rank(prefix + "\xff")
	}
	if marker >= prefix && marker != "" {
		from = b.Rank(marker + "\x00")
		if id, err := strconv.ParseInt(strings.TrimPrefix(q.Get("version-id-marker"), "v"), 10, 64); err == nil && versions {
			from = b.Rank(marker) + b.Versions - id + 1
		}
	}
	return from, max(from, to)
}

func (s *Store) appendRow(dst []byte, r *stocktake.Record, versions bool, encode func(dst, key []byte) []byte) []byte {
	kind := "Contents>"
	if versions {
		kind = "Version>"
	}
	dst = append(append(append(dst, '<'), kind...), "<Key>"...)
	dst = append(encode(dst, r.Key), "</Key>"...)
	if versions {
		dst = append(append(append(dst, "<VersionId>"...), r.VersionID...), "</VersionId><IsLatest>"...)
		dst = append(strconv.AppendBool(dst, r.IsLatest), "</IsLatest>"...)
	}
	dst = append(dst, "<LastModified>"...)
	dst = appendTime(dst, r.LastModified)
	dst = append(dst, "</LastModified><ETag>&quot;"...)
	dst = hex.AppendEncode(dst, r.ETag.Sum[:])
	dst = append(dst, "&quot;</ETag><Size>"...)
	dst = append(strconv.AppendInt(dst, r.Size, 10), "</Size><StorageClass>STANDARD</StorageClass></"...)
	return append(dst, kind...)
}

// appendTime appends a time, in Unix seconds, in the format of S3. Package time
// would need half as long as the rest of the row, and the store shares the
// processors with the clients that are measured.
func appendTime(dst []byte, t int64) []byte {
	var date [11]byte
	csvrow.PutDate(&date, t/86400)
	dst = append(dst, date[:]...)
	second := t % 86400
	for i, n := range [...]int64{second / 3600, second / 60 % 60, second % 60} {
		dst = append(dst, byte('0'+n/10), byte('0'+n%10), "::."[i])
	}
	return append(dst, "000Z"...)
}

// plain are the bytes that are not percent-encoded.
var plain = func() (is [256]bool) {
	for c := range is {
		is[c] = c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' || strings.IndexByte("/-_.*", byte(c)) >= 0
	}
	return is
}()

// appendURL appends a key in percent-encoding, as S3 does.
func appendURL(dst, key []byte) []byte {
	for _, c := range key {
		if plain[c] {
			dst = append(dst, c)
		} else {
			dst = append(dst, '%', "0123456789ABCDEF"[c>>4], "0123456789ABCDEF"[c&15])
		}
	}
	return dst
}

// escape appends a key as XML text.
func escape(dst, key []byte) []byte {
	for _, c := range key {
		switch c {
		case '&':
			dst = append(dst, "&amp;"...)
		case '<':
			dst = append(dst, "&lt;"...)
		case '>':
			dst = append(dst, "&gt;"...)
		default:
			dst = append(dst, c)
		}
	}
	return dst
}
