package store_test

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/binary"
	"fmt"
	"iter"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/engine"
	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/store"
)

// uniform yields n objects as buckets have them.
func uniform(n int) iter.Seq[object.Info] {
	return func(yield func(object.Info) bool) {
		for i := range n {
			o := object.Info{
				Key:          fmt.Sprintf("photos/2026/%02d/%02d/IMG_%08d.jpg", i*12/n+1, i*12*28/n%28+1, i),
				Size:         int64(i%1000) * 4096,
				CRC64:        uint64(i) * 0x9e3779b97f4a7c15,
				LastModified: time.Unix(1767628800+int64(i), 0),
				StorageClass: stocktake.StorageClass(i % 3),
				Headers:      object.Headers{ContentType: "image/jpeg"},
			}
			o.ETag.Sum = md5.Sum(binary.BigEndian.AppendUint64(nil, uint64(i)))
			o.MD5 = o.ETag.Sum[:]
			if !yield(o) {
				return
			}
		}
	}
}

func benchRows(b *testing.B) int {
	if s := os.Getenv("STORE_BENCH_ROWS"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			b.Fatal(err)
		}
		return n
	}
	return 1_000_000
}

func BenchmarkScan(b *testing.B) {
	for _, v := range []object.Versioning{object.Unversioned, object.Enabled} {
		b.Run("versioning="+v.String(), func(b *testing.B) {
			rows := benchRows(b)
			start := time.Now()
			s := loaded(b, v, uniform(rows))
			took := time.Since(start)
			sn, err := s.Source().Snapshot(b.Context(), "b")
			if err != nil {
				b.Fatal(err)
			}
			defer sn.Close()
			b.ReportAllocs()
			for b.Loop() {
				n, size := 0, int64(0)
				err := sn.Scan(b.Context(), engine.Segment{}, true, func(batch []stocktake.Record) error {
					n += len(batch)
					for i := range batch {
						size += batch[i].Size
					}
					return nil
				})
				if err != nil || n != rows {
					b.Fatal(n, err)
				}
			}
			b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds(), "records/s")
			b.ReportMetric(float64(rows)/took.Seconds(), "seeded/s")
		})
	}
}

func BenchmarkOpen(b *testing.B) {
	dir := b.TempDir()
	fill(b, dir, object.Unversioned, uniform(benchRows(b)))
	s, err := store.Open(b.Context(), dir, store.Options{})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
		if s, err = store.Open(b.Context(), dir, store.Options{}); err != nil {
			b.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
}

func BenchmarkSplit(b *testing.B) {
	s := loaded(b, object.Unversioned, uniform(benchRows(b)))
	sn, err := s.Source().Snapshot(b.Context(), "b")
	if err != nil {
		b.Fatal(err)
	}
	defer sn.Close()
	for b.Loop() {
		if cuts, err := sn.Split(b.Context(), "", 16); err != nil || len(cuts) != 15 {
			b.Fatal(len(cuts), err)
		}
	}
}

func BenchmarkList(b *testing.B) {
	s := loaded(b, object.Unversioned, uniform(benchRows(b)))
	for _, tt := range []struct {
		name string
		q    object.ListQuery
	}{
		{"1000", object.ListQuery{Max: 1000, After: "photos/2026/03"}},
		{"delimited", object.ListQuery{Max: 1000, Prefix: "photos/2026/", Delimiter: "/"}},
	} {
		b.Run(tt.name, func(b *testing.B) {
			tt.q.Bucket = "b"
			for b.Loop() {
				if _, err := s.List(b.Context(), tt.q); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkPutLarge(b *testing.B) {
	for _, e := range []object.Encryption{{}, {Algorithm: "AES256"}} {
		b.Run("encryption="+e.Algorithm, func(b *testing.B) {
			s := open(b, b.TempDir(), store.Options{Keys: keyring{}})
			bucket(b, s, object.Unversioned)
			data := noise(64 << 20)
			p := object.Put{Bucket: "b", Key: "k", Size: int64(len(data)), Attributes: object.Attributes{Encryption: &e}}
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.PutObject(b.Context(), by, p, bytes.NewReader(data)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkGet(b *testing.B) {
	s := open(b, b.TempDir(), store.Options{})
	bucket(b, s, object.Unversioned)
	const n = 10_000
	for i := range n {
		put(b, s, fmt.Sprintf("%08x", i), strings.Repeat("x", 1<<10))
	}
	var i atomic.Int64
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			v := object.Version{Bucket: "b", Key: fmt.Sprintf("%08x", i.Add(7919)%n)}
			info, c, err := s.Open(b.Context(), v)
			if err != nil || info.Size != 1<<10 {
				b.Error(info, err)
				continue
			}
			c.Close()
		}
	})
}

func BenchmarkPut(b *testing.B) {
	for _, size := range []int{1 << 10, 64 << 10, 128 << 10} {
		for _, clients := range []int{1, 64} {
			b.Run(fmt.Sprintf("size=%d/clients=%d", size, clients), func(b *testing.B) {
				s := open(b, b.TempDir(), store.Options{})
				bucket(b, s, object.Unversioned)
				data := make([]byte, size)
				var n atomic.Int64
				b.ReportAllocs()
				b.SetBytes(int64(size))
				b.SetParallelism(max(1, clients/2))
				one := func(ctx context.Context) error {
					p := object.Put{Bucket: "b", Key: fmt.Sprintf("%08x", n.Add(1)), Size: int64(size)}
					_, err := s.PutObject(ctx, by, p, bytes.NewReader(data))
					return err
				}
				if clients == 1 {
					for b.Loop() {
						if err := one(b.Context()); err != nil {
							b.Fatal(err)
						}
					}
				} else {
					b.RunParallel(func(pb *testing.PB) {
						for pb.Next() {
							if err := one(b.Context()); err != nil {
								b.Error(err)
							}
						}
					})
				}
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "puts/s")
			})
		}
	}
}

// BenchmarkPutJournalled compares a bucket whose changes are journalled with one
// whose changes are not.
func BenchmarkPutJournalled(b *testing.B) {
	for _, clients := range []int{1, 64} {
		for _, journalled := range []bool{false, true} {
			b.Run(fmt.Sprintf("journal=%t/clients=%d", journalled, clients), func(b *testing.B) {
				s := open(b, b.TempDir(), store.Options{})
				bucket(b, s, object.Unversioned)
				if journalled {
					if _, err := s.Journal().Subscribe(b.Context(), "b", "r", ""); err != nil {
						b.Fatal(err)
					}
				}
				origin := object.Origin{Principal: "1234567890123456", Request: "5C3D9175B6FC201293AD4890", Address: netip.MustParseAddr("127.0.0.1")}
				data := noise(1 << 10)
				var next atomic.Int64
				before := processorTime(b)
				b.ReportAllocs()
				b.ResetTimer()
				var wait sync.WaitGroup
				for range clients {
					wait.Go(func() {
						for n := next.Add(1); n <= int64(b.N); n = next.Add(1) {
							p := object.Put{Bucket: "b", Key: fmt.Sprintf("%d/object-%08d", clients, n), Size: int64(len(data))}
							if _, err := s.PutObject(b.Context(), origin, p, bytes.NewReader(data)); err != nil {
								b.Error(err)
								return
							}
						}
					})
				}
				wait.Wait()
				b.StopTimer()
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "puts/s")
				b.ReportMetric(float64((processorTime(b)-before).Nanoseconds())/float64(b.N), "cpu-ns/op")
			})
		}
	}
}

// processorTime returns what the process has used so far.
func processorTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
