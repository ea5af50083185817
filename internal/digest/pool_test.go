package digest

import (
	"crypto/md5"
	"crypto/sha256"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
)

// put adds n bytes of r to a stream, and to all.
func put(s *Stream, r *rand.ChaCha8, n int, all *[]byte) {
	piece := s.Next()[:n]
	r.Read(piece)
	*all = append(*all, piece...)
	s.Put(n)
}

// Any pieces in any streams, side by side: the sums of each stream are those of its
// own bytes.
func TestPool(t *testing.T) {
	everyWay(t, func(t *testing.T) { synctest.Test(t, testPool) })
}

func testPool(t *testing.T) {
	var pool Pool
	var group sync.WaitGroup
	for n := range 9 {
		group.Go(func() {
			random := rand.New(rand.NewPCG(1, uint64(n)))
			bytes := rand.NewChaCha8([32]byte{byte(n)})
			for range 20 {
				sums := &Sums{MD5Only: n%3 == 0}
				stream := pool.Stream(sums, 2+n%3)
				var all []byte
				for range random.IntN(8) {
					size := random.IntN(3000)
					if random.IntN(4) == 0 {
						size = PieceSize
					}
					put(stream, bytes, size, &all)
				}
				stream.Close()
				stream.Close()
				m, h := sums.Sum()
				if m != md5.Sum(all) {
					t.Errorf("stream %d of %d bytes: MD5 %x, want %x", n, len(all), m, md5.Sum(all))
				}
				if !sums.MD5Only && h != sha256.Sum256(all) {
					t.Errorf("stream %d of %d bytes: SHA-256 %x, want %x", n, len(all), h, sha256.Sum256(all))
				}
			}
		})
	}
	group.Wait()
	synctest.Wait()
	pool.mu.Lock()
	defer pool.mu.Unlock()
	if pool.open != [2]int{} || len(pool.waiting) != 0 || pool.summing != 0 {
		t.Errorf("left in the pool: streams %v, %d waiting, %d goroutines", pool.open, len(pool.waiting), pool.summing)
	}
}

// A piece waits for one of another stream with the same sums, unless there is no
// such stream, its own stream needs the room, or a caller waits for its end.
func TestPiecesWaitForPartners(t *testing.T) {
	if !fast {
		t.Skip("this processor sums one stream at a time")
	}
	synctest.Test(t, func(t *testing.T) {
		var pool Pool
		var all []byte
		random := rand.NewChaCha8([32]byte{})
		var sums [3]Sums
		sums[2].MD5Only = true
		summed := func(want ...uint64) {
			t.Helper()
			synctest.Wait()
			pool.mu.Lock()
			defer pool.mu.Unlock()
			for i, n := range want {
				if sums[i].size != n {
					t.Errorf("of stream %d, %d bytes are summed, want %d", i, sums[i].size, n)
				}
			}
		}
		a := pool.Stream(&sums[0], 3)
		put(a, random, 100, &all)
		summed(100) // there is no other stream
		b, c := pool.Stream(&sums[1], 3), pool.Stream(&sums[2], 3)
		put(a, random, 100, &all)
		summed(100)
		put(c, random, 100, &all)
		summed(100, 0, 100) // the only one of its kind
		put(b, random, 100, &all)
		summed(200, 100)
		put(a, random, 100, &all)
		summed(200, 100)
		put(a, random, 100, &all)
		summed(300, 100) // makes room
		a.Close()
		summed(400, 100)
		put(b, random, 100, &all)
		summed(400, 200) // the other is gone
		b.Close()
		c.Close()
	})
}

func BenchmarkPool(b *testing.B) {
	for _, streams := range []int{1, 2, 4} {
		b.Run(string(rune('0'+streams)), func(b *testing.B) {
			b.SetBytes(PieceSize * int64(streams))
			b.ReportAllocs()
			var pool Pool
			var open []*Stream
			for range streams {
				open = append(open, pool.Stream(new(Sums), 3))
			}
			for b.Loop() {
				for _, s := range open {
					s.Next()
					s.Put(PieceSize)
				}
			}
			for _, s := range open {
				s.Close()
			}
		})
	}
}
