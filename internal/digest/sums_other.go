//go:build !amd64

package digest

// There is no assembly for this architecture.
const fast, foldable = false, false

const noAssembly = "digest: there is no assembly for this architecture"

func md5Blocks1(*state, *byte, int)                    { panic(noAssembly) }
func md5Blocks2(_, _ *state, _, _ *byte, _ int)        { panic(noAssembly) }
func sumBlocks1(*state, *byte, int)                    { panic(noAssembly) }
func sumBlocks2(_, _ *state, _, _ *byte, _ int)        { panic(noAssembly) }
func foldBlocks(*[16]byte, *[4]uint64, uint64, []byte) { panic(noAssembly) }
