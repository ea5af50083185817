package digest

import "golang.org/x/sys/cpu"

// fast reports whether the processor has the instructions of the assembly.
var fast = cpu.X86.HasSSSE3 && cpu.X86.HasSSE41 && hasSHA()

// foldable reports whether the processor can multiply polynomials.
var foldable = cpu.X86.HasSSE41 && cpu.X86.HasPCLMULQDQ

// hasSHA reports whether the processor has the SHA extensions.
//
// Source: AMD64 Architecture Programmer's Manual, volume 3, CPUID Fn0000_0007_EBX[29].
func hasSHA() bool {
	highest, _ := cpuid(0, 0)
	if highest < 7 {
		return false
	}
	_, features := cpuid(7, 0)
	return features&(1<<29) != 0
}
