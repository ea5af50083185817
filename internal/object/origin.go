package object

import (
	"errors"
	"net/netip"
)

// An Origin says who makes a change, by which request and from where. Every method that changes a
// store takes one as a parameter: the compiler would not notice a missing field of a request or
// value in a context, and a journal without origins cannot be repaired later. The zero Origin is
// illegal.
type Origin struct {
	// Principal is the UID of an account or a user, the principal id of a session,
	// Anonymous, or ServicePrefix and the name of a part of the service.
	Principal string

	Request string     // id of the request; empty: the service acts on its own
	Address netip.Addr // of the client; the zero Addr: the service acts on its own, or the address is unknown
}

// Principals that are not accounts.
const (
	Anonymous     = "anonymous"
	ServicePrefix = "service:"
)

// ErrNoOrigin reports a change without an Origin, which is a bug of the caller.
var ErrNoOrigin = errors.New("the change does not say who makes it")

// ByService returns the origin of changes that a part of the service makes on
// its own, such as "lifecycle".
func ByService(name string) Origin { return Origin{Principal: ServicePrefix + name} }
