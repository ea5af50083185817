// Package digest computes checksums of stored content in one pass: the MD5 and the
// SHA-256 of a stream, and the CRC-64 of OSS.
//
// An MD5 is one chain of dependent instructions, which leaves most units of a core
// idle. On amd64 with the SHA extensions, the SHA-256 is computed in these idle
// units at almost no extra cost. On other processors both come from the standard
// library.
package digest

//go:generate go -C _asm run . -out ../digest_amd64.s -stubs ../stubs_amd64.go -pkg digest
