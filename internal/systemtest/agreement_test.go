package systemtest

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The environment variables: how many random sequences are compared with the model, and the
// seed of the first one.
const (
	seedsVariable = "STOCKTAKE_SEEDS"
	seedVariable  = "STOCKTAKE_SEED"
)

// An operation is a request that clients make. often is its relative frequency.
type operation struct {
	name  string
	often int
	do    func(*world)
}

// onObjects are the operations that a client can do in a bucket that it shares.
var onObjects = []operation{
	{"put", 6, (*world).put},
	{"get", 6, (*world).get},
	{"delete", 3, (*world).delete},
	{"delete multiple", 1, (*world).deleteMultiple},
	{"copy", 3, (*world).copy},
	{"append", 3, (*world).append},
	{"seal", 1, (*world).seal},
	{"symlink", 1, (*world).symlink},
	{"get symlink", 1, (*world).getSymlink},
	{"tagging", 2, (*world).tagging},
	{"object ACL", 2, (*world).objectACL},
	{"restore", 2, (*world).restore},
	{"initiate", 2, (*world).initiate},
	{"part", 4, (*world).uploadPart},
	{"part copy", 2, (*world).uploadPartCopy},
	{"multipart", 1, (*world).multipart},
	{"complete", 2, (*world).complete},
	{"abort", 1, (*world).abort},
	{"list parts", 1, (*world).listParts},
	{"list", 4, (*world).list},
}

// onBuckets are the operations that other clients of a shared bucket would notice.
var onBuckets = []operation{
	{"wait", 2, (*world).wait},
	{"list uploads", 1, (*world).listUploads},
	{"versioning", 2, (*world).versioning},
	{"bucket ACL", 1, (*world).bucketACL},
	{"public access", 2, (*world).publicAccess},
	{"bucket encryption", 1, (*world).bucketEncryption},
	{"restart", 1, (*world).restart},
	{"statistics", 1, (*world).stat},
	{"remake", 1, (*world).remake},
}

// weighted repeats each operation according to its frequency.
func weighted(lists ...[]operation) (all []operation) {
	for _, list := range lists {
		for _, o := range list {
			for range o.often {
				all = append(all, o)
			}
		}
	}
	return all
}

// A sequence is a random sequence of requests. Each step is identified by a number, which seeds
// all its random choices. Steps can therefore be removed without changing the others.
type sequence struct {
	seed  uint64
	steps []uint64
}

// A disagreement is the reason why a sequence failed.
type disagreement struct{ text, trace string }

// judge is the tb of a sequence that may be run again.
type judge struct{ log strings.Builder }

func (j *judge) Helper()                         {}
func (j *judge) Logf(format string, args ...any) { fmt.Fprintf(&j.log, format, args...) }
func (j *judge) Fatalf(format string, args ...any) {
	panic(disagreement{fmt.Sprintf(format, args...), j.log.String()})
}

// play runs a sequence in two buckets, which it removes at the end.
func (s sequence) play(h *house, clock *dial, tally map[string]int) (failed *disagreement) {
	defer func() {
		if p := recover(); p != nil {
			d, ok := p.(disagreement)
			if !ok {
				panic(p)
			}
			failed = &d
		}
	}()
	rng := rand.New(rand.NewPCG(s.seed, 0))
	w := newWorld(new(judge), h, clock, func(n int) int { return rng.IntN(n) })
	w.makeBucket(fmt.Sprintf("first-%x", s.seed))
	w.makeBucket(fmt.Sprintf("second-%x", s.seed))
	operations := weighted(onObjects, onBuckets)
	for _, step := range s.steps {
		rng = rand.New(rand.NewPCG(s.seed, step+1))
		o := operations[w.draw(len(operations))]
		w.trace = append(w.trace, fmt.Sprintf("-- %d: %s", step, o.name))
		w.doing, w.tally = o.name, tally
		o.do(w)
	}
	w.tally = nil
	for _, b := range w.buckets {
		for _, kind := range []string{"v1", "v2", "versions"} {
			w.listing(b, kind, "", "", "", 7)
		}
		w.empty(b)
	}
	return nil
}

// shrink removes the steps that are not needed for a sequence to fail.
func (s sequence) shrink(t *testing.T, failed *disagreement) (sequence, *disagreement) {
	for size := len(s.steps) / 2; size > 0; size /= 2 {
		for at := 0; at+size <= len(s.steps); {
			less := sequence{s.seed, slices.Delete(slices.Clone(s.steps), at, at+size)}
			clock := newDial()
			h := newHouse(t, houseOptions{now: clock.now, memory: true, inline: 64})
			if d := less.play(h, clock, nil); d != nil {
				s, failed = less, d
			} else {
				at += size
			}
			h.close()
		}
	}
	return s, failed
}

// TestAgreement compares every answer of the server with the model's, in random sequences of
// requests. It prints a sequence that disagrees in its shortest form.
func TestAgreement(t *testing.T) {
	const wornAfter = 100 // sequences in one house
	seeds, first := rounds(t, seedsVariable, 200), firstSeed(t)
	tally := map[string]int{}
	var h *house
	var clock *dial
	leave := func() {
		a := h.audit(t)
		if a.Versions > 0 || a.Files > 0 || a.Inline > 0 || a.Parts > 0 {
			t.Errorf("the buckets are gone, but there are %v", a)
		}
		h.close()
	}
	for i := range seeds {
		if i%wornAfter == 0 {
			if h != nil {
				leave()
			}
			clock = newDial()
			h = newHouse(t, houseOptions{now: clock.now, memory: true, inline: 64})
		}
		s := sequence{seed: first + uint64(i)}
		for step := range uint64(20 + s.seed%100) {
			s.steps = append(s.steps, step)
		}
		if d := s.play(h, clock, tally); d != nil {
			s, d = s.shrink(t, d)
			t.Fatalf("seed %d, steps %v: %s\n%s", s.seed, s.steps, d.text, d.trace)
		}
	}
	leave()
	for _, name := range slices.Sorted(maps.Keys(tally)) {
		t.Log(name, tally[name])
	}
}

// firstSeed returns a random seed, or the seed that the environment sets.
func firstSeed(t *testing.T) uint64 {
	t.Helper()
	v := os.Getenv(seedVariable)
	if v == "" {
		seed := uint64(rand.Uint32())
		t.Logf("%s=%d", seedVariable, seed)
		return seed
	}
	seed, err := strconv.ParseUint(v, 10, 64)
	check(t, err)
	return seed
}

// TestAgreementOfMany runs many clients at once in shared buckets, each with keys of its own.
// At the end, the listings must contain exactly what the clients have left.
func TestAgreementOfMany(t *testing.T) {
	const clients = 8
	seeds, steps := max(1, rounds(t, seedsVariable, 200)/50), 60
	operations := weighted(onObjects)
	first := firstSeed(t)
	for i := range seeds {
		seed := first + uint64(i)
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			clock := newDial()
			h := newHouse(t, houseOptions{now: clock.now, memory: i%2 == 0, inline: 64})
			shared := []*bucket{newBucket("plain", "private"), newBucket("versioned", "public-read"), newBucket("suspended", "private")}
			rng := rand.New(rand.NewPCG(seed, 0))
			setup := newWorld(t, h, clock, rng.IntN)
			for i, b := range shared {
				q := setup.on(b, "PUT", "")
				q.header["x-oss-acl"] = b.acl
				setup.expect(setup.send(q), 200, "")
				if b.versioning = []string{"", "Enabled", "Suspended"}[i]; i > 0 {
					q := setup.on(b, "PUT", "", "versioning", "")
					q.body = []byte("<VersioningConfiguration><Status>" + b.versioning + "</Status></VersioningConfiguration>")
					setup.expect(setup.send(q), 200, "")
				}
			}
			worlds := make([]*world, clients)
			t.Run("clients", func(t *testing.T) {
				for c := range clients {
					t.Run(fmt.Sprint(c), func(t *testing.T) {
						t.Parallel()
						rng := rand.New(rand.NewPCG(seed, uint64(c)+1))
						w := newWorld(t, h, clock, rng.IntN)
						worlds[c] = w
						w.prefix = fmt.Sprintf("%c/", 'a'+c)
						for _, b := range shared {
							own := newBucket(b.name, b.acl)
							own.versioning = b.versioning
							w.buckets = append(w.buckets, own)
						}
						for range steps {
							o := operations[w.draw(len(operations))]
							w.trace = append(w.trace, "-- "+o.name)
							o.do(w)
						}
					})
				}
			})
			if t.Failed() {
				return
			}
			setup.buckets = shared
			for i, b := range shared {
				for _, w := range worlds {
					for key, list := range w.buckets[i].versions {
						b.versions[key] = list
					}
					for id, u := range w.buckets[i].uploads {
						b.uploads[id] = u
					}
				}
				for _, kind := range []string{"v1", "v2", "versions"} {
					setup.listing(b, kind, "", "", "", 50)
				}
			}
			for range 3 * len(shared) {
				setup.stat()
				setup.listUploads()
			}
			h.audit(t)
			h.close()
		})
	}
}
