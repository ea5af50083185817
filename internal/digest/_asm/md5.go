package main

import (
	"math"

	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// md5Shifts are the rotations of each of the four rounds.
//
// Source: RFC 1321, 3.4.
var md5Shifts = [4][4]uint8{{7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21}}

// md5Word returns the word of the block that step i adds.
func md5Word(i int) int {
	switch i / 16 {
	case 0:
		return i % 16
	case 1:
		return (5*i + 1) % 16
	case 2:
		return (3*i + 5) % 16
	default:
		return 7 * i % 16
	}
}

// md5Steps returns the 64 steps over the block of each lane, interleaved. They
// leave in the registers of a lane the value to add to its state before the block.
//
// Only b depends on the step before; everything else is added to a ahead of time.
// The terms of the second function, (b & d) | (c & ^d), have no bit in common. They
// are therefore added one by one, the second one ahead, which shortens the
// dependency chain by one instruction.
func md5Steps(lanes []lane) (steps []step) {
	t, u := build.GP32(), build.GP32()
	for i := range 64 {
		for _, l := range lanes {
			steps = append(steps, md5Step(i, l, t, u)...)
		}
	}
	return steps
}

// md5Step returns step i. It may use t and u as scratch registers.
func md5Step(i int, l lane, t, u reg.Register) (steps []step) {
	emit := func(s ...step) { steps = append(steps, s...) }
	a, b, c, d := l.md5[-i&3], l.md5[(1-i)&3], l.md5[(2-i)&3], l.md5[(3-i)&3]
	constant := operand.U32(uint32(math.Floor(math.Abs(math.Sin(float64(i+1))) * (1 << 32))))
	word := operand.Mem{Base: l.p}.Offset(4 * md5Word(i))
	emit(
		func() { build.ADDL(word, a) },
		func() { build.ADDL(constant, a) },
	)
	switch i / 16 {
	case 0: // ((c ^ d) & b) ^ d
		emit(
			func() { build.MOVL(c, t) },
			func() { build.XORL(d, t) },
			func() { build.ANDL(b, t) },
			func() { build.XORL(d, t) },
		)
	case 1: // (b & d) + (c & ^d)
		emit(
			func() { build.MOVL(d, u) },
			func() { build.NOTL(u) },
			func() { build.ANDL(c, u) },
			func() { build.ADDL(u, a) },
			func() { build.MOVL(d, t) },
			func() { build.ANDL(b, t) },
		)
	case 2: // b ^ c ^ d
		emit(
			func() { build.MOVL(c, t) },
			func() { build.XORL(d, t) },
			func() { build.XORL(b, t) },
		)
	case 3: // c ^ (b | ^d)
		emit(
			func() { build.MOVL(d, t) },
			func() { build.NOTL(t) },
			func() { build.ORL(b, t) },
			func() { build.XORL(c, t) },
		)
	}
	shift := operand.U8(md5Shifts[i/16][i%4])
	emit(
		func() { build.ADDL(t, a) },
		func() { build.ROLL(shift, a) },
		func() { build.ADDL(b, a) },
	)
	return steps
}
