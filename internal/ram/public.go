package ram

import (
	"cmp"
	"math"
	"net/netip"
	"slices"
	"strings"
)

// A condition on addresses narrows a statement for everyone unless it allows a
// large part of the internet: a range shorter than these, or in total more than 16
// of the 256 blocks of IPv4. The statements of a policy count together, since they
// allow together.
//
// Source: OSS user guide, "Block Public Access", asks for fixed ranges without
// stating their size; S3 user guide, "The meaning of public", has these lengths.
const (
	minPrefix4   = 8  // bits of an IPv4 prefix
	minPrefix6   = 32 // bits of an IPv6 prefix
	maxAddresses = 16 << 24
)

// markPublic finds the statements for everyone that no condition narrows.
func (p *Policy) markPublic() {
	if p.kind != BucketPolicy {
		return
	}
	var ranges []netip.Prefix
	for i := range p.statements {
		s := &p.statements[i]
		if !s.anyone || s.deny {
			continue
		}
		s.public = true
		for c := range s.conditions {
			if list, ok := s.conditions[c].narrows(); ok {
				s.public = false
				ranges = append(ranges, list...)
				break // no address outside these ranges passes it
			}
		}
	}
	if addresses4(ranges) <= maxAddresses {
		return
	}
	for i := range p.statements {
		s := &p.statements[i]
		s.public = s.public || s.anyone && !s.deny
	}
}

// narrows reports whether c holds only for known addresses, networks or callers. If
// c names ranges of addresses, narrows returns them.
func (c *condition) narrows() ([]netip.Prefix, bool) {
	if c.not {
		return nil, false
	}
	switch {
	case c.kind == ipKind && c.key == keySourceIP:
		return c.prefixes, !slices.ContainsFunc(c.prefixes, func(p netip.Prefix) bool {
			return p.Addr().Is4() && p.Bits() < minPrefix4 || p.Addr().Is6() && p.Bits() < minPrefix6
		})
	case c.kind == stringKind && (c.key == keySourceIP || c.key == "acs:SourceVpc"):
		return nil, c.op != like || !slices.ContainsFunc(c.texts, func(s string) bool { return strings.ContainsAny(s, "*?") })
	}
	return nil, false
}

// addresses4 returns the number of IPv4 addresses in the ranges.
func addresses4(ranges []netip.Prefix) (n uint64) {
	ranges = slices.Clone(ranges)
	slices.SortFunc(ranges, func(a, b netip.Prefix) int {
		return cmp.Or(a.Addr().Compare(b.Addr()), cmp.Compare(a.Bits(), b.Bits()))
	})
	var last netip.Prefix // of two ranges one contains the other, or they are disjoint
	for _, r := range ranges {
		if r.Addr().Is4() && !last.Overlaps(r) {
			n += (math.MaxUint32 + 1) >> r.Bits()
			last = r
		}
	}
	return n
}

func (d *Directory) allowAnonymous(ev *evaluation) error {
	if ev.Bucket == "" || ev.Owner == "" {
		return denied(ev, Unsigned, "")
	}
	bucket, err := d.bucketEffect(ev)
	switch {
	case err != nil:
		return err
	case bucket == deny:
		return denied(ev, Explicit, "bucket policy")
	case bucket == allow || aclAllows(&ev.Request):
		return nil
	}
	return denied(ev, Unsigned, "")
}
