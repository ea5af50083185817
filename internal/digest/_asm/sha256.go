package main

import (
	"math"
	"math/big"

	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// sha256Constants lays out the constants of the 64 rounds: the first 32 bits of
// the fractions of the cube roots of the first 64 primes.
//
// Source: FIPS 180-4, 4.2.2.
func sha256Constants() operand.Mem {
	table := build.GLOBL("sha256Rounds", attr.RODATA|attr.NOPTR)
	n := 0
	for prime := int64(2); n < 64; prime++ {
		if !big.NewInt(prime).ProbablyPrime(0) {
			continue
		}
		build.DATA(4*n, operand.U32(cubeRootFraction(prime)))
		n++
	}
	return table
}

// cubeRootFraction is the first 32 bits of the fraction of the cube root of n.
func cubeRootFraction(n int64) uint32 {
	scaled := new(big.Int).Lsh(big.NewInt(n), 96) // its cube root is that of n by 2^32
	lo, hi := big.NewInt(0), big.NewInt(math.MaxInt64)
	for new(big.Int).Sub(hi, lo).Cmp(big.NewInt(1)) > 0 {
		mid := new(big.Int).Rsh(new(big.Int).Add(lo, hi), 1)
		if new(big.Int).Exp(mid, big.NewInt(3), nil).Cmp(scaled) <= 0 {
			lo = mid
		} else {
			hi = mid
		}
	}
	return uint32(lo.Uint64())
}

// byteSwap is the order of bytes that turns four words of a block around.
func byteSwap() operand.Mem {
	table := build.GLOBL("byteSwap", attr.RODATA|attr.NOPTR)
	build.DATA(0, operand.U64(0x0405060700010203))
	build.DATA(8, operand.U64(0x0c0d0e0f08090a0b))
	return table
}

// sha256Block are the 64 rounds over the block at p, four at a time: abef and
// cdgh become what is to be added to the state before.
//
// Source: Intel SHA extensions: the instructions work on two halves of the
// state, A B E F and C D G H; the words of four rounds with their constants are
// in X0.
func sha256Block(abef, cdgh, swap reg.VecVirtual, p, constants reg.Register) (steps []step) {
	emit := func(s ...step) { steps = append(steps, s...) }
	var words [4]reg.VecVirtual // of the last 16 rounds
	for i := range words {
		words[i] = build.XMM()
	}
	t := build.XMM()
	for i := range 16 {
		now, before, next := words[i%4], words[(i+3)%4], words[(i+1)%4]
		if i < 4 {
			emit(
				func() { build.MOVOU(operand.Mem{Base: p}.Offset(16*i), now) },
				func() { build.PSHUFB(swap, now) },
			)
		}
		emit(
			func() { build.MOVOU(operand.Mem{Base: constants}.Offset(16*i), reg.X0) },
			func() { build.PADDL(now, reg.X0) },
			func() { build.SHA256RNDS2(reg.X0, abef, cdgh) },
		)
		if i >= 3 && i < 15 { // the words of the next four rounds
			emit(
				func() { build.MOVO(now, t) },
				func() { build.PALIGNR(operand.U8(4), before, t) },
				func() { build.PADDL(t, next) },
				func() { build.SHA256MSG2(now, next) },
			)
		}
		emit(
			func() { build.PSHUFD(operand.U8(0x0e), reg.X0, reg.X0) },
			func() { build.SHA256RNDS2(reg.X0, cdgh, abef) },
		)
		if i >= 1 && i < 13 {
			emit(func() { build.SHA256MSG1(now, before) })
		}
	}
	return steps
}
