package stage

import (
	"net"
	"net/netip"
	"strings"

	"golang.org/x/net/dns/dnsmessage"
)

// address returns where name leads on the stage; false if it leads nowhere.
func address(name string) (netip.Addr, bool) {
	switch name = strings.TrimSuffix(strings.ToLower(name), "."); {
	case strings.HasSuffix(name, ".aliyuncs.com"):
		return netip.MustParseAddr(OSSAddr), true
	case name == "www.aliyun.com", name == "example.com", strings.HasSuffix(name, ".example.com"):
		return netip.MustParseAddr(WorldAddr), true
	}
	return netip.Addr{}, false
}

// serveNames answers DNS questions on pc until it is closed.
func serveNames(pc net.PacketConn) {
	buf := make([]byte, 1500)
	for {
		n, from, err := pc.ReadFrom(buf)
		if err != nil {
			return
		}
		if reply, ok := answer(buf[:n]); ok {
			_, _ = pc.WriteTo(reply, from) // UDP: a reply that is lost is asked for again
		}
	}
}

// answer makes the reply to one DNS query: an A record, an empty answer to
// other types of a name that exists, or "no such name".
func answer(query []byte) ([]byte, bool) {
	var p dnsmessage.Parser
	head, err := p.Start(query)
	if err != nil {
		return nil, false
	}
	q, err := p.Question()
	if err != nil {
		return nil, false
	}
	addr, known := address(q.Name.String())
	head.Response, head.Authoritative, head.RecursionAvailable = true, true, true
	if !known {
		head.RCode = dnsmessage.RCodeNameError
	}
	msg := dnsmessage.Message{Header: head, Questions: []dnsmessage.Question{q}}
	if known && q.Type == dnsmessage.TypeA {
		msg.Answers = []dnsmessage.Resource{{
			Header: dnsmessage.ResourceHeader{Name: q.Name, Class: dnsmessage.ClassINET, TTL: 60},
			Body:   &dnsmessage.AResource{A: addr.As4()},
		}}
	}
	reply, err := msg.Pack()
	return reply, err == nil
}
