// Program asm writes the assembly of package digest for amd64.
package main

import (
	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/build"
)

func main() {
	data()
	sums("md5Blocks1", 1, false)
	sums("md5Blocks2", 2, false)
	sums("sumBlocks1", 1, true)
	sums("sumBlocks2", 2, true)
	fold()
	cpuid()
	build.Generate()
}

const flags = attr.NOSPLIT

// A step emits one instruction.
type step func()

// weave emits the steps of both streams, each in its order, and spreads the second
// evenly among the first. The steps of a stream mostly wait for each other, not for
// those of the other stream: while one waits, the processor executes the other.
func weave(first, second []step) {
	done := 0
	for i, s := range first {
		s()
		for ; done < len(second)*(i+1)/len(first); done++ {
			second[done]()
		}
	}
}
