package main

import (
	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// sums emits the function that takes blocks into both sums.
func sums() {
	constantTable, swapTable := sha256Constants(), byteSwap()
	build.TEXT("sumBlocks", flags, "func(md5 *[4]uint32, sha256 *[8]uint32, p []byte)")
	build.Pragma("noescape")
	build.Doc("sumBlocks takes the whole blocks of 64 bytes in p into both sums.")
	md5State := build.Load(build.Param("md5"), build.GP64())
	shaState := build.Load(build.Param("sha256"), build.GP64())
	p := build.Load(build.Param("p").Base(), build.GP64())
	end := build.Load(build.Param("p").Len(), build.GP64())
	build.ANDQ(operand.I8(-64), end)
	build.JZ(operand.LabelRef("done"))
	build.ADDQ(p, end)
	constants := build.GP64()
	build.LEAQ(constantTable, constants)
	swap := build.XMM()
	build.MOVOU(swapTable, swap)

	var md5 [4]reg.GPVirtual
	for i := range md5 {
		md5[i] = build.GP32()
		build.MOVL(operand.Mem{Base: md5State}.Offset(4*i), md5[i])
	}
	abef, cdgh, t := build.XMM(), build.XMM(), build.XMM()
	build.MOVOU(operand.Mem{Base: shaState}, abef)            // a b c d
	build.MOVOU(operand.Mem{Base: shaState}.Offset(16), cdgh) // e f g h
	build.PSHUFD(operand.U8(0xb1), abef, abef)
	build.PSHUFD(operand.U8(0x1b), cdgh, cdgh)
	build.MOVO(abef, t)
	build.PALIGNR(operand.U8(8), cdgh, abef)
	build.PBLENDW(operand.U8(0xf0), t, cdgh)

	build.Label("block")
	abefBefore, cdghBefore := build.XMM(), build.XMM()
	build.MOVO(abef, abefBefore)
	build.MOVO(cdgh, cdghBefore)
	weave(md5Block(md5, p), sha256Block(abef, cdgh, swap, p, constants))
	for i := range md5 {
		build.ADDL(operand.Mem{Base: md5State}.Offset(4*i), md5[i])
		build.MOVL(md5[i], operand.Mem{Base: md5State}.Offset(4*i))
	}
	build.PADDL(abefBefore, abef)
	build.PADDL(cdghBefore, cdgh)
	build.ADDQ(operand.I8(64), p)
	build.CMPQ(p, end)
	build.JB(operand.LabelRef("block"))

	build.PSHUFD(operand.U8(0x1b), abef, abef)
	build.PSHUFD(operand.U8(0xb1), cdgh, cdgh)
	build.MOVO(abef, t)
	build.PBLENDW(operand.U8(0xf0), cdgh, abef)
	build.PALIGNR(operand.U8(8), t, cdgh)
	build.MOVOU(abef, operand.Mem{Base: shaState})
	build.MOVOU(cdgh, operand.Mem{Base: shaState}.Offset(16))
	build.Label("done")
	build.RET()
}
