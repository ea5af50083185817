//go:build !amd64

package digest

// There is no assembly for this architecture.
const fast, foldable = false, false

func sumBlocks(*[4]uint32, *[8]uint32, []byte) { panic("digest: no assembly") }

func foldBlocks(*[16]byte, *[4]uint64, uint64, []byte) { panic("digest: no assembly") }
