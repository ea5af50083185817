package main

import (
	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/reg"
)

// cpuid emits the function that executes CPUID.
func cpuid() {
	build.TEXT("cpuid", flags, "func(leaf, subleaf uint32) (eax, ebx uint32)")
	build.Doc("cpuid executes the instruction CPUID.")
	build.Load(build.Param("leaf"), reg.EAX)
	build.Load(build.Param("subleaf"), reg.ECX)
	build.CPUID()
	build.Store(reg.EAX, build.Return("eax"))
	build.Store(reg.EBX, build.Return("ebx"))
	build.RET()
}
