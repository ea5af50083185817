package parquet

import (
	"bytes"
	"encoding/binary"
	"unicode/utf8"
)

// A STRING must be UTF-8, but some stores hold keys that are not. Each byte that is
// not part of a character becomes a character for private use, U+10F700 plus the
// byte, which is at least 0x80. So that the mapping can be reversed, the bytes of
// such a character that a key contains are mapped in the same way. All other keys are
// unchanged.

// The encoding of an escaped byte b: 0xf4 0x8f 0x9e|b>>6&1 0x80|b&0x3f.
const (
	escape0 = 0xf4
	escape1 = 0x8f
	escape2 = 0x9e // or 0x9f
)

// isText reports whether s is stored unchanged.
func isText(s []byte) bool {
	for len(s) >= 8 {
		if binary.LittleEndian.Uint64(s)&0x8080808080808080 != 0 {
			return utf8.Valid(s) && !hasEscape(s)
		}
		s = s[8:]
	}
	for _, c := range s {
		if c >= utf8.RuneSelf {
			return utf8.Valid(s) && !hasEscape(s)
		}
	}
	return true
}

// hasEscape reports whether s has an escaped byte.
func hasEscape(s []byte) bool {
	for {
		i := bytes.IndexByte(s, escape0)
		if i < 0 {
			return false
		}
		if s = s[i:]; isEscape(s) {
			return true
		}
		s = s[1:]
	}
}

// isEscape reports whether s begins with an escaped byte.
func isEscape(s []byte) bool {
	return len(s) >= 4 && s[0] == escape0 && s[1] == escape1 && s[2]&^1 == escape2 && s[3]&0xc0 == 0x80
}

// appendText appends s in the form of a STRING.
func appendText(dst, s []byte) []byte {
	if isText(s) {
		return append(dst, s...)
	}
	for len(s) > 0 {
		r, n := utf8.DecodeRune(s)
		if r != utf8.RuneError && !isEscape(s) || n == 3 { // U+FFFD itself has three bytes
			dst = append(dst, s[:n]...)
			s = s[n:]
			continue
		}
		for _, b := range s[:n] {
			dst = append(dst, escape0, escape1, escape2|b>>6&1, 0x80|b&0x3f)
		}
		s = s[n:]
	}
	return dst
}

// appendRaw is the inverse of appendText.
func appendRaw(dst, s []byte) []byte {
	for {
		i := bytes.IndexByte(s, escape0)
		if i < 0 {
			return append(dst, s...)
		}
		dst = append(dst, s[:i]...)
		if s = s[i:]; isEscape(s) {
			dst = append(dst, 0x80|s[2]&1<<6|s[3]&0x3f)
			s = s[4:]
			continue
		}
		dst = append(dst, escape0)
		s = s[1:]
	}
}
