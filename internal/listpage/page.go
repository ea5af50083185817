package listpage

import (
	"bytes"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/stocktake/stocktake"
)

// MaxBody is the largest page that is parsed, in bytes. Stores send at most
// 5,000 rows at once, with keys of 1,024 bytes that may be escaped ninefold.
const MaxBody = 64 << 20

// Errors to branch on. They are wrapped with details.
var (
	// ErrMalformed reports a page that is not a listing, or is truncated. Stores are
	// known to send such pages with status 200. The request may be repeated.
	ErrMalformed = errors.New("the page of the listing is malformed")

	// ErrOrder reports a page whose keys are not in byte order.
	ErrOrder = errors.New("the page of the listing is out of order")
)

// A Page is one page of a listing. The zero value is ready to use. Parsing into the
// same Page again reuses its memory.
type Page struct {
	// Records are the rows in ascending order of key bytes, the newest version of a
	// key first. They include delete markers if Versions is set. They point into the
	// parsed body and into the page, until the next Parse.
	//
	// StorageClass is the store's own name. Values that listings do not contain are
	// missing: ACL, tags, encryption, CRC-64, and the type if a store does not send
	// it. Times of access are zero.
	Records []stocktake.Record

	Versions  bool // it is a listing of versions
	Truncated bool // more rows follow

	after    []byte // the requested marker, as the page repeats it
	hasAfter bool
	encoded  bool // its keys were percent-encoded

	millis  []int64 // of the records, Unix milliseconds of their last modification
	arena   []byte  // text that is not in the body in this form
	scratch sections
	seen    VersionSet // versions of one key

	lastClass stocktake.StorageClass // of the previous row
	forms     [numKinds]rowForm      // of the last row of each kind
}

// Parse parses body. It may overwrite body, and the records point into it. Keys are
// decoded if the page says that they are percent-encoded. The page must have been
// requested without a delimiter. The errors are ErrMalformed and ErrOrder, wrapped;
// then the page is empty.
func (p *Page) Parse(body []byte) error {
	err := p.parse(body)
	if err != nil {
		p.reset()
	}
	return err
}

func (p *Page) parse(body []byte) error {
	if len(body) > MaxBody {
		return fmt.Errorf("%w: it has %d bytes", ErrMalformed, len(body))
	}
	p.reset()
	encoded, ok, err := p.parseKnown(body)
	if err == nil && !ok {
		p.reset()
		encoded, err = p.parseAny(body)
	}
	if err != nil {
		return err
	}
	p.encoded = encoded
	if encoded {
		for i := range p.Records {
			if p.Records[i].Key, ok = unescape(p.Records[i].Key); !ok {
				return fmt.Errorf("%w: the key %.200q is not percent-encoded", ErrMalformed, p.Records[i].Key)
			}
		}
	}
	return p.sort()
}

func (p *Page) reset() {
	p.Records, p.millis, p.arena = p.Records[:0], p.millis[:0], p.arena[:0]
	p.Versions, p.Truncated = false, false
	p.after, p.hasAfter = nil, false
	for k := range p.forms {
		p.forms[k].forget()
	}
}

// Continues reports whether the page can be the answer to a request with this
// marker: start-after of ListObjectsV2, marker, or key-marker. Stores repeat the
// marker, which reveals a page that a cache or a proxy has mixed up. A page without
// a marker is accepted.
func (p *Page) Continues(marker string) bool {
	if !p.hasAfter || mayBeMarker(p.after, marker) {
		return true
	}
	if !p.encoded {
		return false
	}
	decoded, ok := unescape(append(p.arena[len(p.arena):], p.after...))
	return ok && mayBeMarker(decoded, marker)
}

// mayBeMarker reports whether a store may write marker as text. Stores that do not encode
// keys write U+FFFD for characters that XML cannot express.
//
// Source: Extensible Markup Language (XML) 1.0, section 2.2.
func mayBeMarker(text []byte, marker string) bool {
	for len(text) > 0 && marker != "" {
		a, n := utf8.DecodeRune(text)
		b, m := utf8.DecodeRuneInString(marker)
		if a != b && (a != utf8.RuneError || b >= ' ' && b != utf8.RuneError && b != 0xFFFE && b != 0xFFFF) {
			return false
		}
		text, marker = text[n:], marker[m:]
	}
	return len(text) == 0 && marker == ""
}

// unescape decodes the percent-encoding of a key in place, with '+' as a space. S3
// services send a space as '+' or as %20, and '+' as %2B.
func unescape(key []byte) ([]byte, bool) {
	n := bytes.IndexByte(key, '%')
	if n < 0 {
		n = len(key)
	}
	if plus := bytes.IndexByte(key[:n], '+'); plus >= 0 {
		n = plus
	}
	for i := n; i < len(key); {
		c := key[i]
		i++
		if c == '%' {
			if i+1 >= len(key) {
				return key, false
			}
			high, low := hexDigit[key[i]], hexDigit[key[i+1]]
			if high|low > 15 {
				return key, false
			}
			c = high<<4 | low
			i += 2
		} else if c == '+' {
			c = ' '
		}
		key[n] = c
		n++
	}
	return key[:n], true
}

// hexDigit has the value of each hexadecimal digit, and 255 for any other byte. To
// compute it takes branches that no processor foresees.
var hexDigit = hexDigitValues()

func hexDigitValues() (values [256]byte) {
	for c := range values {
		values[c] = 255
	}
	for v, c := range []byte("0123456789abcdef") {
		values[c] = byte(v)
	}
	for v, c := range []byte("ABCDEF") {
		values[c] = byte(10 + v)
	}
	return values
}
