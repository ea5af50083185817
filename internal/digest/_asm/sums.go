package main

import (
	"fmt"
	"strings"

	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// A lane is one stream. Its state has the memory layout of package digest's state:
// four words of MD5, then eight of SHA-256.
type lane struct {
	state      string // the parameter that points to the state
	p          reg.Register
	md5        [4]reg.Register
	abef, cdgh reg.Register // of SHA-256, if it is computed
}

const sha256Offset = 16 // in a state

// sums emits a function that adds the same number of blocks to each of count
// streams.
func sums(name string, count int, sha256 bool) {
	var states, places []string
	for i := range count {
		states, places = append(states, fmt.Sprintf("s%d", i)), append(places, fmt.Sprintf("p%d", i))
	}
	build.TEXT(name, flags, fmt.Sprintf("func(%s *[12]uint32, %s *byte, blocks int)", strings.Join(states, ", "), strings.Join(places, ", ")))
	build.Pragma("noescape")
	what := "the MD5"
	if sha256 {
		what += " and the SHA-256"
	}
	build.Doc(fmt.Sprintf("%s takes blocks of 64 bytes, at least one, into %s of each of %d streams.", name, what, count))

	pointer := func(name string) reg.Register { return build.Load(build.Param(name), build.GP64()) }
	left := build.Load(build.Param("blocks"), build.GP64())
	var unit *sha256Unit
	if sha256 {
		unit = newSHA256Unit()
	}
	var lanes []lane
	for i := range count {
		l := lane{state: states[i], p: pointer(places[i])}
		state := operand.Mem{Base: pointer(l.state)}
		for i := range l.md5 {
			l.md5[i] = build.GP32()
			build.MOVL(state.Offset(4*i), l.md5[i])
		}
		if sha256 {
			l.abef, l.cdgh = build.XMM(), build.XMM()
			unit.load(l, state.Offset(sha256Offset))
		}
		lanes = append(lanes, l)
	}

	build.Label("block")
	var rounds []step
	if sha256 {
		for _, l := range lanes {
			rounds = append(rounds, unit.steps(l)...)
		}
	}
	weave(md5Steps(lanes), rounds)
	for _, l := range lanes {
		state := operand.Mem{Base: pointer(l.state)}
		for i := range l.md5 {
			build.ADDL(state.Offset(4*i), l.md5[i])
			build.MOVL(l.md5[i], state.Offset(4*i))
		}
		build.ADDQ(operand.I8(64), l.p)
	}
	build.DECQ(left)
	build.JNZ(operand.LabelRef("block"))

	if sha256 {
		for _, l := range lanes {
			unit.store(l, operand.Mem{Base: pointer(l.state)}.Offset(sha256Offset))
		}
	}
	build.RET()
}
