package foreign

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math"
	"net"
	"net/url"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/throttle"
)

// A Kind is the protocol that a store speaks.
type Kind string

// The kinds of stores.
const (
	S3  Kind = "s3"
	OSS Kind = "oss"
)

// Kinds are all kinds, as settings may name them.
var Kinds = []Kind{S3, OSS}

func kindNames() (names []string) {
	for _, k := range Kinds {
		names = append(names, string(k))
	}
	return names
}

// Settings are one named store of the settings file.
type Settings struct {
	Name string // unique among the stores
	Kind Kind

	// Endpoint is the URL of the service; empty: the public endpoint of Region.
	Endpoint string

	// Region is the region that requests are signed for. Empty means us-east-1 for
	// S3; OSS requires it. As the region of the buckets, empty means the server's
	// region.
	Region string

	VirtualHosts bool   // the bucket is part of the host name, not of the path
	CAFile       string // certificates that sign the endpoint's, PEM; empty: the system's

	Credentials Credentials
	Roles       []RoleCredentials // the first match applies; none: no role may use the store

	Buckets []string          // patterns of the names that the store claims
	Aliases map[string]string // from the name here to the name in the store

	Limits throttle.Limits

	Account     string // owner of the buckets; empty: the server's account
	CrossRegion bool   // reports may go to, and come from, other regions and accounts

	Line int // where the entry begins in the file; 0: it has none
}

// RoleCredentials are the credentials that roles use.
type RoleCredentials struct {
	Role        string       // pattern of ARNs
	Credentials *Credentials // nil: the store's
}

// Parse reads the setting "stores": a list of entries. Its errors are *LineError.
func Parse(n *yaml.Node) ([]Settings, error) {
	n = resolved(n)
	if n.Kind != yaml.SequenceNode {
		return nil, atLine(n, "stores: a list of stores is expected")
	}
	var all []Settings
	for i, entry := range n.Content {
		s, err := parseEntry(resolved(entry), i)
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	if err := CheckClaims(all); err != nil {
		return nil, err
	}
	return all, nil
}

func parseEntry(n *yaml.Node, i int) (s Settings, err error) {
	s.Line = n.Line
	of := fmt.Sprintf("store %d", i+1)
	if n.Kind == yaml.MappingNode {
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == "name" {
				of = fmt.Sprintf("store %.100q", n.Content[i+1].Value)
			}
		}
	}
	var kind, addressing, hours string
	var concurrency float64
	err = mapping(n, of, []field{
		{"name", text(&s.Name)},
		{"kind", oneOf(&kind, kindNames()...)},
		{"endpoint", text(&s.Endpoint)},
		{"region", text(&s.Region)},
		{"addressing", oneOf(&addressing, "path", "virtual")},
		{"ca-file", text(&s.CAFile)},
		{"credentials", func(n *yaml.Node) error { return s.Credentials.parse(n) }},
		{"roles", pairs(func(role string, n *yaml.Node) error { return s.addRole(role, n) })},
		{"buckets", texts(&s.Buckets)},
		{"aliases", pairs(func(alias string, n *yaml.Node) error { return s.addAlias(alias, n) })},
		{"requests-per-second", number(&s.Limits.PerSecond, false, 1e6)},
		{"concurrency", number(&concurrency, true, 10_000)},
		{"hours", func(n *yaml.Node) error {
			if err := text(&hours)(n); err != nil {
				return err
			}
			s.Limits.Hours, err = throttle.ParseHours(hours)
			return err
		}},
		{"account", text(&s.Account)},
		{"cross-region", boolean(&s.CrossRegion)},
	})
	if err != nil {
		return s, err
	}
	s.Kind, s.Limits.Concurrency = Kind(kind), int(concurrency)
	s.SetAddressing(addressing)
	if err := cmp.Or(s.Validate(), s.checkNames()); err != nil {
		at := n
		if e, ok := errors.AsType[*settingError](err); ok {
			at = valueOf(n, e.setting)
		}
		return s, atLine(at, "%s: %w", of, err)
	}
	return s, nil
}

// checkNames rejects bucket names that no client of the server can send.
func (s *Settings) checkNames() error {
	for _, p := range s.Buckets {
		if !isPattern(p) {
			return wrong("buckets", "buckets: OSS clients do not send the name %q: give the bucket another name on this server with aliases: {%s: %s}", p, aliasFor(p), p)
		}
	}
	return nil
}

// isPattern reports whether text can be a bucket name that clients of OSS send, or
// a pattern of such names.
func isPattern(text string) bool {
	return text != "" && strings.Trim(text, bucketCharacters+"*?") == ""
}

// A settingError is the error in one setting of an entry.
type settingError struct {
	setting string
	err     error
}

func (e *settingError) Error() string { return e.err.Error() }
func (e *settingError) Unwrap() error { return e.err }

func wrong(setting, format string, args ...any) error {
	return &settingError{setting, fmt.Errorf(format, args...)}
}

// SetAddressing sets where a URL contains the bucket: path, virtual, or empty for
// the default of the endpoint.
func (s *Settings) SetAddressing(addressing string) {
	s.VirtualHosts = addressing == "virtual" || addressing == "" && s.hostsByDefault()
}

// hostsByDefault reports whether the host name contains the bucket unless the
// settings say otherwise. It does at the public services, and at every OSS that has
// a host name.
func (s *Settings) hostsByDefault() bool {
	if s.Endpoint == "" {
		return true
	}
	u, err := url.Parse(s.Endpoint)
	return s.Kind == OSS && err == nil && u.Hostname() != "localhost" && net.ParseIP(u.Hostname()) == nil
}

func (s *Settings) addRole(role string, n *yaml.Node) error {
	r := RoleCredentials{Role: role}
	if role == "" {
		return errors.New("the pattern of a role is expected, such as acs:ram::*:role/inventory-*, or *")
	}
	if n.Kind != yaml.ScalarNode {
		r.Credentials = new(Credentials)
		if err := r.Credentials.parse(n); err != nil {
			return err
		}
	} else if n.Value != "default" {
		return fmt.Errorf("%.100q: default is expected, or credentials such as {env: LAKE}", n.Value)
	}
	s.Roles = append(s.Roles, r)
	return nil
}

func (s *Settings) addAlias(alias string, n *yaml.Node) error {
	var nameInStore string
	if err := text(&nameInStore)(n); err != nil {
		return err
	}
	if s.Aliases == nil {
		s.Aliases = map[string]string{}
	}
	s.Aliases[alias] = nameInStore
	return nil
}

// Validate makes all checks that do not depend on the machine.
func (s *Settings) Validate() error {
	switch {
	case s.Name == "":
		return errors.New("name is missing")
	case len(s.Name) > 63 || strings.Trim(s.Name, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "":
		return wrong("name", "name %.100q: up to 63 of a-z, 0-9, '-' and '_' are expected", s.Name)
	case !slices.Contains(Kinds, s.Kind):
		return errors.New("kind is missing: " + strings.Join(kindNames(), " or "))
	case s.Kind == OSS && s.Region == "":
		return errors.New("region is missing: requests to OSS are signed for a region")
	case s.Credentials.source == noSource:
		return errors.New("credentials are missing, such as {env: LAKE}")
	case len(s.Buckets) == 0 && len(s.Aliases) == 0:
		return errors.New("buckets is missing: the names of the store's buckets")
	case s.Account != "" && !stocktake.ValidAccountID(s.Account):
		return wrong("account", "account %.100q: 1 to 32 digits are expected", s.Account)
	case math.IsNaN(s.Limits.PerSecond):
		return wrong("requests-per-second", "requests-per-second: a number is expected")
	case strings.ContainsAny(s.Region, "/?#@: \t") || len(s.Region) > 63:
		return wrong("region", "region %.100q is not a region such as us-east-1", s.Region)
	}
	if err := checkEndpoint(s.Endpoint); err != nil {
		return err
	}
	for _, p := range s.Buckets {
		if !isPattern(p) && !s.Kind.ValidBucket(p) {
			return wrong("buckets", "buckets: %.100q is neither the name of a bucket nor a pattern with * and ?", p)
		}
	}
	for alias, nameInStore := range s.Aliases {
		if !stocktake.ValidBucketName(alias) {
			return wrong("aliases", "aliases: %.100q is not the name of a bucket: expected 3 to 63 of a-z, 0-9 and '-' before the colon, and the name in the store after it", alias)
		}
		if !s.Kind.ValidBucket(nameInStore) {
			return wrong("aliases", "aliases: %s: %.100q is not the name of a bucket in a store of kind %s", alias, nameInStore, s.Kind)
		}
	}
	return nil
}

func checkEndpoint(endpoint string) error {
	if endpoint == "" {
		return nil
	}
	u, err := url.Parse(endpoint)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return wrong("endpoint", "endpoint: a URL such as https://s3.lan:9000 is expected, without path, user or query") // it may hold a secret, so it is not repeated
	}
	return nil
}

const bucketCharacters = "abcdefghijklmnopqrstuvwxyz0123456789-._"

// ValidBucket reports whether a bucket of a store may have this name. S3 buckets
// may have dots and underscores, and capital letters if they are old or the service
// is not AWS.
func (kind Kind) ValidBucket(name string) bool {
	if kind == OSS {
		return stocktake.ValidBucketName(name)
	}
	return stocktake.ValidS3BucketName(asciiLower(name))
}

func asciiLower(text string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			r += 'a' - 'A'
		}
		return r
	}, text)
}

// aliasFor returns an alias that clients of OSS can send, for a bucket whose own
// name they cannot send.
func aliasFor(nameInStore string) string {
	return strings.NewReplacer(".", "-", "_", "-").Replace(asciiLower(nameInStore))
}

// NeedsAlias returns the alias that a bucket of the store needs to be the source of
// configurations, because clients of OSS do not send its own name. ok is false if
// they do, or if the bucket has an alias.
func (s *Settings) NeedsAlias(nameInStore string) (alias string, ok bool) {
	for _, t := range s.Aliases {
		if t == nameInStore {
			return "", false
		}
	}
	return aliasFor(nameInStore), !stocktake.ValidBucketName(nameInStore)
}

// Locate returns the name in the store of a bucket that the store claims. The
// original name of a bucket with an alias is not valid here.
func (s *Settings) Locate(name string) (nameInStore string, ok bool) {
	if nameInStore, ok := s.Aliases[name]; ok {
		return nameInStore, true
	}
	for _, nameInStore := range s.Aliases {
		if nameInStore == name {
			return "", false
		}
	}
	for _, p := range s.Buckets {
		if pattern(p).match(name) {
			return name, true
		}
	}
	return "", false
}

// FirstBucket returns the name in the store of a bucket that the settings name in
// full. It returns false if the settings have patterns only.
func (s *Settings) FirstBucket() (nameInStore string, ok bool) {
	for _, p := range s.Buckets {
		if pattern(p).literal() && s.Claims(p) {
			return p, true
		}
	}
	for _, alias := range slices.Sorted(maps.Keys(s.Aliases)) {
		return s.Aliases[alias], true
	}
	return "", false
}

// Claims reports whether the store claims a bucket name.
func (s *Settings) Claims(name string) bool {
	_, ok := s.Locate(name)
	return ok
}

// CheckClaims rejects two stores with the same name, and a bucket that two stores
// claim. The error is a *LineError.
func CheckClaims(all []Settings) error {
	for i := range all {
		for j := range i {
			a, b := &all[j], &all[i]
			if a.Name == b.Name {
				return &LineError{b.Line, fmt.Errorf("store %q: line %d already has a store of this name", b.Name, a.Line)}
			}
			if name, ok := bothClaim(a, b); ok {
				return &LineError{b.Line, fmt.Errorf("store %q: store %q (line %d) also claims the bucket %s: narrow buckets, or rename the bucket with aliases", b.Name, a.Name, a.Line, name)}
			}
		}
	}
	return nil
}

// bothClaim returns a name that both stores claim.
func bothClaim(a, b *Settings) (name string, ok bool) {
	for _, pair := range [2][2]*Settings{{a, b}, {b, a}} {
		for alias := range pair[0].Aliases {
			if _, ok := pair[1].Locate(alias); ok {
				return alias, true
			}
		}
	}
	for _, p := range a.Buckets {
		for _, q := range b.Buckets {
			name, ok := pattern(p).overlaps(pattern(q))
			if !ok {
				continue
			}
			if pattern(p).literal() || pattern(q).literal() { // it is the only match, and may have an alias
				_, ofA := a.Locate(name)
				_, ofB := b.Locate(name)
				if !ofA || !ofB {
					continue
				}
			}
			return name, true
		}
	}
	return "", false
}
