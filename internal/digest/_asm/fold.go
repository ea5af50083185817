package main

import (
	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// fold emits the function that reduces a long input to 16 bytes with the same
// remainder.
//
// 64 bytes are four accumulators of 16. Each accumulator is multiplied by the power
// of x that moves it by 64 bytes: each half by a constant, that power modulo the
// polynomial. Then the input at the new position is added. At the end the
// accumulators are moved to the last one in the same way, by 16 bytes each.
//
// Source: Intel, "Fast CRC computation for generic polynomials using the
// PCLMULQDQ instruction".
func fold() {
	build.TEXT("foldBlocks", flags, "func(into *[16]byte, constants *[4]uint64, crc uint64, p []byte)")
	build.Pragma("noescape")
	build.Doc("foldBlocks makes 16 bytes of the whole blocks of 64 bytes in p, which has at least one:",
		"their remainder is that of the blocks after crc. The constants move on by 64 bytes (the first half of",
		"an accumulator, the second) and by 16.")
	into := build.Load(build.Param("into"), build.GP64())
	constants := build.Load(build.Param("constants"), build.GP64())
	crc := build.XMM()
	build.MOVQ(build.Load(build.Param("crc"), build.GP64()), crc)
	p := build.Load(build.Param("p").Base(), build.GP64())
	end := build.Load(build.Param("p").Len(), build.GP64())
	build.ANDQ(operand.I8(-64), end)
	build.ADDQ(p, end)
	by64, by16 := build.XMM(), build.XMM()
	build.MOVOU(operand.Mem{Base: constants}, by64)
	build.MOVOU(operand.Mem{Base: constants}.Offset(16), by16)

	var acc [4]reg.VecVirtual
	for i := range acc {
		acc[i] = build.XMM()
		build.MOVOU(operand.Mem{Base: p}.Offset(16*i), acc[i])
	}
	build.PXOR(crc, acc[0])
	t := build.XMM()
	// move multiplies a by the constants.
	move := func(a, by reg.VecVirtual) {
		build.MOVO(a, t)
		build.PCLMULQDQ(operand.U8(0x00), by, t)
		build.PCLMULQDQ(operand.U8(0x11), by, a)
		build.PXOR(t, a)
	}
	build.Label("block")
	build.ADDQ(operand.I8(64), p)
	build.CMPQ(p, end)
	build.JAE(operand.LabelRef("rest"))
	word := build.XMM()
	for i := range acc {
		move(acc[i], by64)
		build.MOVOU(operand.Mem{Base: p}.Offset(16*i), word)
		build.PXOR(word, acc[i])
	}
	build.JMP(operand.LabelRef("block"))
	build.Label("rest")
	for i := range 3 {
		move(acc[i], by16)
		build.PXOR(acc[i], acc[i+1])
	}
	build.MOVOU(acc[3], operand.Mem{Base: into})
	build.RET()
}
