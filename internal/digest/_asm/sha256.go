package main

import (
	"math"
	"math/big"

	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

var sha256Constants, byteSwap operand.Mem // in the data section

func data() { sha256Constants, byteSwap = sha256Table(), byteSwapTable() }

// sha256Table lays out the constants of the 64 rounds: the first 32 bits of the
// fractions of the cube roots of the first 64 primes.
//
// Source: FIPS 180-4, 4.2.2.
func sha256Table() operand.Mem {
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

// cubeRootFraction returns the first 32 bits of the fraction of the cube root
// of n.
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

// byteSwapTable returns the byte order that reverses the bytes of the four words of
// a block.
func byteSwapTable() operand.Mem {
	table := build.GLOBL("byteSwap", attr.RODATA|attr.NOPTR)
	build.DATA(0, operand.U64(0x0405060700010203))
	build.DATA(8, operand.U64(0x0c0d0e0f08090a0b))
	return table
}

// A sha256Unit holds what all lanes share.
type sha256Unit struct {
	constants  reg.Register    // the address of the table
	swap       reg.Register    // the order of bytes
	words      [4]reg.Register // of the last 16 rounds
	t          reg.Register
	abef, cdgh reg.Register // the state before the block
}

func newSHA256Unit() *sha256Unit {
	u := &sha256Unit{constants: build.GP64(), swap: build.XMM(), t: build.XMM(), abef: build.XMM(), cdgh: build.XMM()}
	build.LEAQ(sha256Constants, u.constants)
	build.MOVOU(byteSwap, u.swap)
	for i := range u.words {
		u.words[i] = build.XMM()
	}
	return u
}

// load reads the state at m into the two halves that the instructions work on.
func (u *sha256Unit) load(l lane, m operand.Mem) {
	build.MOVOU(m, l.abef)            // a b c d
	build.MOVOU(m.Offset(16), l.cdgh) // e f g h
	build.PSHUFD(operand.U8(0xb1), l.abef, l.abef)
	build.PSHUFD(operand.U8(0x1b), l.cdgh, l.cdgh)
	build.MOVO(l.abef, u.t)
	build.PALIGNR(operand.U8(8), l.cdgh, l.abef)
	build.PBLENDW(operand.U8(0xf0), u.t, l.cdgh)
}

// store writes it back.
func (u *sha256Unit) store(l lane, m operand.Mem) {
	build.PSHUFD(operand.U8(0x1b), l.abef, l.abef)
	build.PSHUFD(operand.U8(0xb1), l.cdgh, l.cdgh)
	build.MOVO(l.abef, u.t)
	build.PBLENDW(operand.U8(0xf0), l.cdgh, l.abef)
	build.PALIGNR(operand.U8(8), u.t, l.cdgh)
	build.MOVOU(l.abef, m)
	build.MOVOU(l.cdgh, m.Offset(16))
}

// steps returns the 64 rounds over the block of a lane, four at a time, and the
// addition of the state before the block.
//
// Source: Intel SHA extensions: the instructions work on two halves of the state,
// ABEF and CDGH; X0 holds the words of four rounds with their constants.
func (u *sha256Unit) steps(l lane) (steps []step) {
	emit := func(s ...step) { steps = append(steps, s...) }
	emit(
		func() { build.MOVO(l.abef, u.abef) },
		func() { build.MOVO(l.cdgh, u.cdgh) },
	)
	for i := range 16 {
		now, before, next := u.words[i%4], u.words[(i+3)%4], u.words[(i+1)%4]
		if i < 4 {
			emit(
				func() { build.MOVOU(operand.Mem{Base: l.p}.Offset(16*i), now) },
				func() { build.PSHUFB(u.swap, now) },
			)
		}
		emit(
			func() { build.MOVOU(operand.Mem{Base: u.constants}.Offset(16*i), reg.X0) },
			func() { build.PADDL(now, reg.X0) },
			func() { build.SHA256RNDS2(reg.X0, l.abef, l.cdgh) },
		)
		if i >= 3 && i < 15 { // the words of the next four rounds
			emit(
				func() { build.MOVO(now, u.t) },
				func() { build.PALIGNR(operand.U8(4), before, u.t) },
				func() { build.PADDL(u.t, next) },
				func() { build.SHA256MSG2(now, next) },
			)
		}
		emit(
			func() { build.PSHUFD(operand.U8(0x0e), reg.X0, reg.X0) },
			func() { build.SHA256RNDS2(reg.X0, l.cdgh, l.abef) },
		)
		if i >= 1 && i < 13 {
			emit(func() { build.SHA256MSG1(now, before) })
		}
	}
	emit(
		func() { build.PADDL(u.abef, l.abef) },
		func() { build.PADDL(u.cdgh, l.cdgh) },
	)
	return steps
}
