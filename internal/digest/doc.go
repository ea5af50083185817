// Package digest sums what is stored, at the speed that a run needs: the MD5 and
// the SHA-256 of one stream in one pass, and the CRC-64 of OSS.
//
// An MD5 is one chain of instructions. Each waits for the one before, so most
// units of a core are free meanwhile. On amd64 with the SHA extensions the SHA-256
// is computed in that time and costs next to nothing. Elsewhere both come from the
// standard library.
package digest

//go:generate go -C _asm run . -out ../digest_amd64.s -stubs ../stubs_amd64.go -pkg digest
