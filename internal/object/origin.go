package object

import (
	"errors"
	"net/netip"
)

// An Origin is who makes a change, by which request and from where. Every
// method that changes a store takes one as a parameter of its own. A field of a
// request or a value in a context could be left out without a word from the
// compiler, and a journal that does not know who made a change cannot be
// mended later. The zero Origin is illegal.
type Origin struct {
	// Principal is the UID of an account or a user, the principal id of a session,
	// Anonymous, or ServicePrefix and the name of a part of the service.
	Principal string

	Request string     // id of the request; empty: the service acts on its own
	Address netip.Addr // of the client; the zero Addr: the service acts on its own, or the address is not known
}

// Principals that no account has.
const (
	Anonymous     = "anonymous"
	ServicePrefix = "service:"
)

// ErrNoOrigin is a change without an Origin, which is a mistake of the caller's
// code.
var ErrNoOrigin = errors.New("the change does not say who makes it")

// ByService returns the origin of changes that a part of the service makes on
// its own, such as "lifecycle".
func ByService(name string) Origin { return Origin{Principal: ServicePrefix + name} }
