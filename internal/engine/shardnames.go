package engine

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/stocktake/stocktake/report"
)

// shardNames are those of the shards of one attempt:
//
//	<data>rrrrrrrr-rrrr-8rrr-aaaa-ssssssssssss[-n]<suffix>
//
// a UUID of version 8 in which r is a hash of the run, a the attempt, s a hash
// of both plus the segment, and n the number of the shard within its segment,
// left out for the first; the suffix is that of the format. So the shards of a run, or of one attempt of it, can be
// listed by prefix, and no two segments share a name.
type shardNames struct {
	run     string // prefix of the shards of the run, whatever the attempt
	attempt string // prefix of those of the attempt
	first   uint64 // s of the first segment
	suffix  string // of the format
}

const segmentBits = 48

func newShardNames(data, run string, attempt int, suffix string) shardNames {
	r := sha256.Sum256([]byte("run\x00" + run))
	a := sha256.Sum256(binary.BigEndian.AppendUint64(r[:], uint64(attempt)))
	n := shardNames{
		run:    fmt.Sprintf("%s%x-%x-8%03x-", data, r[:4], r[4:6], binary.BigEndian.Uint16(r[6:])&0xfff),
		first:  binary.BigEndian.Uint64(a[:]),
		suffix: suffix,
	}
	n.attempt = fmt.Sprintf("%s%04x-", n.run, 0x8000|attempt&0x3fff)
	return n
}

// shard returns the key of the n-th shard of a segment, both from 0.
func (n *shardNames) shard(segment, shard int) string {
	s := (n.first + uint64(segment)) & (1<<segmentBits - 1)
	if shard == 0 {
		return fmt.Sprintf("%s%012x%s", n.attempt, s, n.suffix)
	}
	return fmt.Sprintf("%s%012x-%d%s", n.attempt, s, shard, n.suffix)
}

// ShardKey returns the key under which an attempt at job writes a shard of a segment, both
// counted from 0. suffix is that of the format, such as ".csv.gz".
func ShardKey(job *Job, segment, shard int, suffix string) string {
	n := newShardNames(location(job).Data(), job.Run, job.Attempt, suffix)
	return n.shard(segment, shard)
}

// owns reports whether key is that of a shard of the run.
func (n *shardNames) owns(key string) bool { return strings.HasPrefix(key, n.run) }

func location(job *Job) report.Location {
	return report.Location{
		Prefix:        job.Configuration.Destination.Prefix,
		Bucket:        job.Bucket,
		Configuration: job.Configuration.ID,
	}
}
