package stocktake

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"
)

// MaxManifestSize is the longest manifest.json that [ParseManifest] reads, in
// bytes: room for some 400,000 shards.
const MaxManifestSize = 64 << 20

// AppendJSON appends manifest.json to dst: one line without an end, members in
// the order of the OSS documentation, the time a string, files never null.
func (m *Manifest) AppendJSON(dst []byte) []byte {
	if m.Incremental() {
		dst = append(dst, `{"startTimestamp":"`...)
		dst = strconv.AppendInt(dst, m.StartTimestamp, 10)
		dst = append(dst, `","endTimestamp":"`...)
		dst = strconv.AppendInt(dst, m.EndTimestamp, 10)
	} else {
		dst = append(dst, `{"creationTimestamp":"`...)
		dst = strconv.AppendInt(dst, m.CreationTimestamp, 10)
	}
	dst = append(dst, `","destinationBucket":`...)
	dst = appendJSONString(dst, m.DestinationBucket)
	dst = append(dst, `,"fileFormat":`...)
	dst = appendJSONString(dst, m.FileFormat)
	dst = append(dst, `,"fileSchema":`...)
	dst = appendJSONString(dst, m.FileSchema)
	dst = append(dst, `,"files":[`...)
	for i := range m.Files {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = m.Files[i].appendJSON(dst)
	}
	dst = append(dst, `],"sourceBucket":`...)
	dst = appendJSONString(dst, m.SourceBucket)
	dst = append(dst, `,"version":`...)
	dst = appendJSONString(dst, m.Version)
	for i, g := range m.Gaps {
		if i == 0 {
			dst = append(dst, `,"gaps":[`...)
		} else {
			dst = append(dst, ',')
		}
		dst = g.appendJSON(dst)
	}
	if len(m.Gaps) > 0 {
		dst = append(dst, ']')
	}
	return append(dst, '}')
}

func (g *JournalGap) appendJSON(dst []byte) []byte {
	dst = append(dst, `{"after":"`...)
	dst = AppendSequence(dst, g.After)
	dst = append(dst, `","until":"`...)
	dst = AppendSequence(dst, g.Until)
	dst = append(dst, `","changes":`...)
	dst = strconv.AppendInt(dst, g.Changes, 10)
	return append(dst, '}')
}

func (f *ManifestFile) appendJSON(dst []byte) []byte {
	dst = append(dst, `{"MD5checksum":`...)
	dst = appendJSONString(dst, f.MD5)
	dst = append(dst, `,"key":`...)
	dst = appendJSONString(dst, f.Key)
	dst = append(dst, `,"size":`...)
	dst = strconv.AppendInt(dst, f.Size, 10)
	return append(dst, '}')
}

// MarshalJSON returns what AppendJSON appends.
func (m Manifest) MarshalJSON() ([]byte, error) { return m.AppendJSON(nil), nil }

// UnmarshalJSON sets m to what ParseManifest returns.
func (m *Manifest) UnmarshalJSON(data []byte) (err error) {
	*m, err = ParseManifest(data)
	return err
}

// ParseManifest reads manifest.json of a full or an incremental report, ours, one of
// OSS or one of S3 Inventory. What S3 writes otherwise becomes what OSS writes: milliseconds
// become seconds, the ARN of the destination a name, hex digits upper-case. Every
// member of [Manifest] must be there, once, under exactly its name and with its
// type, and no file twice; members it does not know are ignored.
func ParseManifest(data []byte) (Manifest, error) {
	m, err := parseManifest(data)
	if err != nil {
		return Manifest{}, fmt.Errorf("manifest: %w", err)
	}
	return m, nil
}

func parseManifest(data []byte) (m Manifest, err error) {
	if len(data) > MaxManifestSize {
		return m, fmt.Errorf("longer than %d bytes", MaxManifestSize)
	}
	if !utf8.Valid(data) {
		return m, errors.New("not UTF-8")
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	var created, start, end *string
	err = decodeObject(dec, map[string]any{
		"creationTimestamp": &created, "startTimestamp": &start, "endTimestamp": &end, "gaps": &m.Gaps,
		"destinationBucket": &m.DestinationBucket,
		"fileFormat":        &m.FileFormat, "fileSchema": &m.FileSchema, "files": &m.Files,
		"sourceBucket": &m.SourceBucket, "version": &m.Version,
	})
	if err != nil {
		return m, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return m, errors.New("something follows the object")
	}
	switch m.Version {
	case ManifestVersion, ManifestVersionS3:
		m.Gaps = nil // no member of theirs
		m.CreationTimestamp, err = parseTimestamp("creationTimestamp", created)
	case ManifestVersionIncremental:
		if m.StartTimestamp, err = parseTimestamp("startTimestamp", start); err == nil {
			m.EndTimestamp, err = parseTimestamp("endTimestamp", end)
		}
		if err == nil && m.EndTimestamp <= m.StartTimestamp {
			err = fmt.Errorf("endTimestamp %d is not after startTimestamp %d", m.EndTimestamp, m.StartTimestamp)
		}
	default:
		err = fmt.Errorf("version %.40q is neither %s nor %s nor S3's %s", m.Version, ManifestVersion, ManifestVersionIncremental, ManifestVersionS3)
	}
	if err != nil {
		return m, err
	}
	if m.Version == ManifestVersionS3 {
		m.normalizeS3()
	}
	keys := make(map[string]struct{}, len(m.Files))
	for i := range m.Files {
		f := &m.Files[i]
		if !validMD5(f.MD5) {
			return m, fmt.Errorf("\"files\": %d: MD5checksum %.40q is not 32 upper-case hex digits", i, f.MD5)
		}
		if _, twice := keys[f.Key]; twice {
			return m, fmt.Errorf("\"files\": %d: the file %.200q is named twice", i, f.Key)
		}
		keys[f.Key] = struct{}{}
	}
	return m, nil
}

// parseTimestamp reads a time in Unix seconds; nil: the member is missing.
func parseTimestamp(member string, text *string) (int64, error) {
	if text == nil {
		return 0, fmt.Errorf("%q is missing", member)
	}
	n, err := strconv.ParseInt(*text, 10, 64)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("%s %.40q is not a Unix time", member, *text)
	}
	return n, nil
}

// normalizeS3 makes a manifest of S3 Inventory like one of OSS.
func (m *Manifest) normalizeS3() {
	m.CreationTimestamp /= 1000
	if arn := strings.Split(m.DestinationBucket, ":::"); len(arn) == 2 && strings.HasPrefix(arn[0], "arn:") {
		m.DestinationBucket = arn[1]
	}
	for i := range m.Files {
		m.Files[i].MD5 = strings.ToUpper(m.Files[i].MD5)
	}
}

// decodeObject reads an object whose members include those of into, each exactly once: a *string,
// an *int64 or a *[]ManifestFile. A **string or a *[]JournalGap may be missing and is then
// unchanged.
func decodeObject(dec *json.Decoder, into map[string]any) error {
	if err := expectDelim(dec, '{', "an object"); err != nil {
		return err
	}
	missing := 0
	for _, target := range into {
		if !optional(target) {
			missing++
		}
	}
	seen := make(map[string]bool, len(into))
	for dec.More() {
		token, err := dec.Token()
		if err != nil {
			return err
		}
		name, _ := token.(string) // a member's name is always a string
		target, known := into[name]
		switch {
		case !known:
			var ignored json.RawMessage
			err = dec.Decode(&ignored)
		case seen[name]:
			err = errors.New("occurs twice")
		default:
			seen[name] = true
			if !optional(target) {
				missing--
			}
			err = decodeMember(dec, target)
		}
		if err != nil {
			return fmt.Errorf("%.40q: %w", name, err)
		}
	}
	if _, err := dec.Token(); err != nil { // the closing brace
		return err
	}
	if missing > 0 {
		for name, target := range into {
			if !seen[name] && !optional(target) {
				return fmt.Errorf("%q is missing", name)
			}
		}
	}
	return nil
}

func optional(target any) bool {
	switch target.(type) {
	case **string, *[]JournalGap:
		return true
	}
	return false
}

func decodeMember(dec *json.Decoder, target any) error {
	switch target := target.(type) {
	case *string:
		token, err := dec.Token()
		if err != nil {
			return err
		}
		text, ok := token.(string)
		if !ok {
			return errors.New("not a string")
		}
		*target = text
	case **string:
		*target = new(string)
		return decodeMember(dec, *target)
	case *int64:
		var n *int64 // nil after a null
		if err := dec.Decode(&n); err != nil {
			return err
		}
		if n == nil || *n < 0 {
			return errors.New("not a number from 0")
		}
		*target = *n
	case *[]ManifestFile:
		*target = []ManifestFile{}
		return decodeArray(dec, func() error {
			var f ManifestFile
			err := decodeObject(dec, map[string]any{"MD5checksum": &f.MD5, "key": &f.Key, "size": &f.Size})
			*target = append(*target, f)
			return err
		})
	case *[]JournalGap:
		return decodeArray(dec, func() error {
			g, err := decodeGap(dec)
			*target = append(*target, g)
			return err
		})
	}
	return nil
}

func decodeGap(dec *json.Decoder) (g JournalGap, err error) {
	var after, until string
	if err := decodeObject(dec, map[string]any{"after": &after, "until": &until, "changes": &g.Changes}); err != nil {
		return g, err
	}
	if g.After, err = strconv.ParseUint(after, 10, 64); err == nil {
		g.Until, err = strconv.ParseUint(until, 10, 64)
	}
	if err != nil || g.Until < g.After {
		return g, fmt.Errorf("from %.40q to %.40q is not a range of sequence numbers", after, until)
	}
	return g, nil
}

func decodeArray(dec *json.Decoder, element func() error) error {
	if err := expectDelim(dec, '[', "an array"); err != nil {
		return err
	}
	for i := 0; dec.More(); i++ {
		if err := element(); err != nil {
			return fmt.Errorf("%d: %w", i, err)
		}
	}
	_, err := dec.Token() // the closing bracket
	return err
}

func expectDelim(dec *json.Decoder, want json.Delim, called string) error {
	token, err := dec.Token()
	if err != nil {
		return err
	}
	if token != want {
		return errors.New("not " + called)
	}
	return nil
}

func validMD5(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'A' || c > 'F') {
			return false
		}
	}
	return len(s) == 32
}

// appendJSONString appends s as a JSON string and escapes only what JSON requires. Invalid UTF-8
// becomes U+FFFD.
func appendJSONString(dst []byte, s string) []byte {
	const digits = "0123456789abcdef"
	dst = append(dst, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			dst = append(dst, '\\', byte(r))
		case r < ' ':
			dst = append(dst, `\u00`...)
			dst = append(dst, digits[r>>4], digits[r&15])
		default:
			dst = utf8.AppendRune(dst, r)
		}
	}
	return append(dst, '"')
}
