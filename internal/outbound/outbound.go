// Package outbound connects to addresses that others chose. A rule says which addresses are
// allowed. It checks the address of the connection itself, after name resolution, so that a name
// cannot resolve to one address for the check and to another for the connection.
package outbound

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"time"
)

// A Rule reports whether connections to an address are allowed. The address is
// without a zone, and an IPv4 address is in its plain form.
type Rule func(netip.Addr) bool

// An AddressError reports a connection that was refused because a rule forbids its address.
type AddressError struct{ Addr netip.Addr }

func (e *AddressError) Error() string {
	return fmt.Sprintf("connections to %s are not allowed", e.Addr)
}

// Transport returns a transport that connects to allowed addresses only. It uses no proxy, which
// would resolve names itself.
func Transport(allowed Rule) *http.Transport {
	dialer := &net.Dialer{
		Timeout: 10 * time.Second,
		Control: func(_, address string, _ syscall.RawConn) error { return allowed.check(address) },
	}
	return &http.Transport{
		DialContext:            dialer.DialContext,
		ForceAttemptHTTP2:      true,
		TLSHandshakeTimeout:    10 * time.Second,
		ResponseHeaderTimeout:  time.Minute,
		IdleConnTimeout:        90 * time.Second,
		MaxIdleConns:           100,
		MaxResponseHeaderBytes: 64 << 10,
	}
}

// check asks the rule about an address with a port.
func (r Rule) check(address string) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("address %q: %w", address, err)
	}
	if a := to.Addr().Unmap().WithZone(""); !r(a) {
		return &AddressError{a}
	}
	return nil
}

// Public allows the addresses of the internet and those in the given networks.
// It is for addresses that a client chose.
func Public(also ...netip.Prefix) Rule {
	return func(a netip.Addr) bool { return public(a) || contains(also, a) }
}

// NotMetadata allows every address except those where a cloud serves the credentials of the machine:
// link-local ones, and a few others. It is for addresses that the operator of the server chose.
func NotMetadata(a netip.Addr) bool {
	return a.IsValid() && !a.IsLinkLocalUnicast() && !a.IsLinkLocalMulticast() && !contains(metadata, a)
}

func public(a netip.Addr) bool {
	if !a.IsValid() || contains(specialPurpose, a) {
		return false
	}
	return a.Is4() || contains(global6, a)
}

func contains(list []netip.Prefix, a netip.Addr) bool {
	for _, p := range list {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// metadata are the addresses, other than link-local ones, where clouds serve the credentials of a
// machine.
//
// Source: Alibaba Cloud ECS, "Instance metadata"; Amazon EC2, "Instance metadata"
// over IPv6.
var metadata = prefixes("100.100.100.200/32", "fd00:ec2::254/128")

// global6 are the addresses of IPv6 that are given out.
var global6 = prefixes("2000::/3")

// specialPurpose are the addresses that are not of the internet, and those of IPv6 in
// which gateways find an IPv4 address.
//
// Source: IANA, IPv4 and IPv6 Special-Purpose Address Registry.
var specialPurpose = prefixes(
	"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24",
	"192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
	"2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20",
)

func prefixes(list ...string) (out []netip.Prefix) {
	for _, s := range list {
		out = append(out, netip.MustParsePrefix(s))
	}
	return out
}
