package layout

import (
	"encoding/base64"
	"encoding/binary"
	"strings"
)

// A version id is text of 20 letters, digits, '-' and '_', that begins as those
// of OSS do:
//
//	"CAEQ" | base64url( mix(seq), 8 bytes big-endian | check, 4 bytes big-endian )
//
// mix is a bijection, so ids need no table, and ids of consecutive numbers look unrelated; check
// distinguishes valid ids from others.
const (
	versionIDHead = "CAEQ"
	versionIDLen  = len(versionIDHead) + 16
)

// AppendVersionID appends the version id of seq.
func AppendVersionID(dst []byte, seq uint64) []byte {
	m := mix(seq)
	var raw [12]byte
	binary.BigEndian.PutUint64(raw[:], m)
	binary.BigEndian.PutUint32(raw[8:], uint32(mix(m)))
	return base64.RawURLEncoding.AppendEncode(append(dst, versionIDHead...), raw[:])
}

// VersionID returns the version id of seq.
func VersionID(seq uint64) string {
	var buf [versionIDLen]byte
	return string(AppendVersionID(buf[:0], seq))
}

// ParseVersionID is the inverse of VersionID; ok is false for an id that VersionID cannot return.
func ParseVersionID(id string) (seq uint64, ok bool) {
	text, ok := strings.CutPrefix(id, versionIDHead)
	if !ok || len(id) != versionIDLen {
		return 0, false
	}
	var raw [12]byte
	if n, err := base64.RawURLEncoding.Decode(raw[:], []byte(text)); err != nil || n != len(raw) {
		return 0, false
	}
	m := binary.BigEndian.Uint64(raw[:])
	return unmix(m), binary.BigEndian.Uint32(raw[8:]) == uint32(mix(m))
}

// mix is the finalizer of splitmix64, and unmix its inverse.
func mix(x uint64) uint64 {
	x ^= x >> 30
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 27
	x *= 0x94d049bb133111eb
	return x ^ x>>31
}

func unmix(x uint64) uint64 {
	x ^= x>>31 ^ x>>62
	x *= 0x319642b2d24d8ec3
	x ^= x>>27 ^ x>>54
	x *= 0x96de1b173f119089
	return x ^ x>>30 ^ x>>60
}
