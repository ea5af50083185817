package stocktake

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

const xmlDeclaration = `<?xml version="1.0" encoding="UTF-8"?>` + "\n"

// AppendXML appends c as the document of GetBucketInventory and
// PutBucketInventory to dst. Nothing of a valid c is lost: reading the document
// gives c.Normalized() again.
//
// The form is the one that every SDK can read: no namespace; Filter with its
// Prefix always there, as ali-oss reads it unasked; whatever is not set left
// out, as an empty number breaks the Java SDK.
func (c *InventoryConfiguration) AppendXML(dst []byte) []byte {
	return c.appendElement(append(dst, xmlDeclaration...))
}

// AppendInventoryList appends the document of ListBucketInventory to dst: a page
// of configurations, the token that the request carried, and, if truncated, the
// token that continues the listing: the id of the last configuration of this
// page. Empty tokens are left out.
func AppendInventoryList(dst []byte, page []InventoryConfiguration, token, next string, truncated bool) []byte {
	dst = append(dst, xmlDeclaration...)
	dst = append(dst, "<ListInventoryConfigurationsResult>"...)
	for i := range page {
		dst = page[i].appendElement(dst)
	}
	dst = appendUnlessEmpty(dst, "ContinuationToken", token)
	dst = appendText(dst, "IsTruncated", strconv.FormatBool(truncated))
	dst = appendUnlessEmpty(dst, "NextContinuationToken", next)
	return append(dst, "</ListInventoryConfigurationsResult>"...)
}

func (c *InventoryConfiguration) appendElement(dst []byte) []byte {
	dst = append(dst, "<InventoryConfiguration>"...)
	dst = appendText(dst, "Id", c.ID)
	dst = appendText(dst, "IsEnabled", strconv.FormatBool(c.IsEnabled))
	dst = c.Destination.appendElement(dst)
	dst = c.Schedule.appendElement(dst)
	dst = c.Filter.appendElement(dst)
	dst = appendText(dst, "IncludedObjectVersions", string(c.IncludedObjectVersions))
	dst = appendFields(dst, c.OptionalFields)
	if inc := c.Incremental; inc != nil {
		dst = append(dst, "<IncrementalInventory>"...)
		dst = appendText(dst, "IsEnabled", strconv.FormatBool(inc.IsEnabled))
		dst = append(dst, "<Schedule>"...)
		dst = appendInt(dst, "Frequency", inc.Frequency)
		dst = append(dst, "</Schedule>"...)
		dst = appendFields(dst, inc.OptionalFields)
		dst = append(dst, "</IncrementalInventory>"...)
	}
	return append(dst, "</InventoryConfiguration>"...)
}

func (d *Destination) appendElement(dst []byte) []byte {
	dst = append(dst, "<Destination><OSSBucketDestination>"...)
	dst = appendText(dst, "Format", d.Format)
	dst = appendText(dst, "AccountId", d.AccountID)
	dst = appendText(dst, "RoleArn", d.RoleARN)
	dst = appendText(dst, "Bucket", BucketARN(d.Bucket))
	dst = appendUnlessEmpty(dst, "Prefix", d.Prefix)
	switch {
	case d.Encryption.SSEOSS:
		dst = append(dst, "<Encryption><SSE-OSS/></Encryption>"...)
	case d.Encryption.SSEKMS:
		dst = append(dst, "<Encryption><SSE-KMS>"...)
		dst = appendUnlessEmpty(dst, "KeyId", d.Encryption.KeyID)
		dst = append(dst, "</SSE-KMS></Encryption>"...)
	}
	return append(dst, "</OSSBucketDestination></Destination>"...)
}

func (s *Schedule) appendElement(dst []byte) []byte {
	dst = append(dst, "<Schedule>"...)
	dst = appendText(dst, "Frequency", string(s.Frequency))
	if s.DayOfMonth != 0 {
		dst = appendInt(dst, "DayOfMonth", int64(s.DayOfMonth))
	}
	if s.AutoDelete != nil {
		dst = appendText(dst, "AutoDelete", strconv.FormatBool(*s.AutoDelete))
	}
	return append(dst, "</Schedule>"...)
}

func (f *Filter) appendElement(dst []byte) []byte {
	dst = append(dst, "<Filter>"...)
	dst = appendText(dst, "Prefix", f.Prefix)
	if f.LastModifyBeginTimeStamp != 0 {
		dst = appendInt(dst, "LastModifyBeginTimeStamp", f.LastModifyBeginTimeStamp)
	}
	if f.LastModifyEndTimeStamp != 0 {
		dst = appendInt(dst, "LastModifyEndTimeStamp", f.LastModifyEndTimeStamp)
	}
	if f.LowerSizeBound != 0 || f.HasLowerSizeBound {
		dst = appendInt(dst, "LowerSizeBound", f.LowerSizeBound)
	}
	if f.UpperSizeBound != 0 {
		dst = appendInt(dst, "UpperSizeBound", f.UpperSizeBound)
	}
	dst = appendUnlessEmpty(dst, "StorageClass", f.StorageClasses())
	return append(dst, "</Filter>"...)
}

// allClasses is how a filter says that every storage class is kept.
const allClasses = "All"

// StorageClasses is the text of element StorageClass: the names joined by
// commas, "All" if the request said so, or empty.
func (f *Filter) StorageClasses() string {
	if f.AllClasses {
		return allClasses
	}
	names := make([]string, len(f.StorageClass))
	for i, c := range f.StorageClass {
		names[i] = c.String()
	}
	return strings.Join(names, ",")
}

func appendFields(dst []byte, fields []Field) []byte {
	if len(fields) == 0 {
		return dst
	}
	dst = append(dst, "<OptionalFields>"...)
	for _, f := range fields {
		dst = appendText(dst, "Field", f.String())
	}
	return append(dst, "</OptionalFields>"...)
}

func appendUnlessEmpty(dst []byte, element, text string) []byte {
	if text == "" {
		return dst
	}
	return appendText(dst, element, text)
}

func appendText(dst []byte, element, text string) []byte {
	dst = appendOpen(dst, element)
	dst = appendEscaped(dst, text)
	return appendClose(dst, element)
}

func appendInt(dst []byte, element string, n int64) []byte {
	dst = appendOpen(dst, element)
	dst = strconv.AppendInt(dst, n, 10)
	return appendClose(dst, element)
}

func appendOpen(dst []byte, element string) []byte {
	dst = append(dst, '<')
	dst = append(dst, element...)
	return append(dst, '>')
}

func appendClose(dst []byte, element string) []byte {
	dst = append(dst, "</"...)
	dst = append(dst, element...)
	return append(dst, '>')
}

// appendEscaped appends text so that it may stand between two tags. Line ends
// and tabs become references, as readers may change them otherwise. What XML
// cannot carry at all, which a continuation token that a client made up may
// hold, becomes U+FFFD.
func appendEscaped(dst []byte, text string) []byte {
	for i, r := range text {
		switch r {
		case '&':
			dst = append(dst, "&amp;"...)
		case '<':
			dst = append(dst, "&lt;"...)
		case '>':
			dst = append(dst, "&gt;"...)
		case '\t':
			dst = append(dst, "&#9;"...)
		case '\n':
			dst = append(dst, "&#10;"...)
		case '\r':
			dst = append(dst, "&#13;"...)
		default:
			if !inXML(r, text[i:]) {
				r = utf8.RuneError
			}
			dst = utf8.AppendRune(dst, r)
		}
	}
	return dst
}

// fitsXML reports whether text is UTF-8 of which XML 1.0 can carry every
// character.
func fitsXML(text string) bool {
	for i, r := range text {
		if !inXML(r, text[i:]) {
			return false
		}
	}
	return true
}

// inXML reports whether r, with which rest starts, is a character of XML 1.0,
// section 2.2, and not the sign of a byte that is not UTF-8.
func inXML(r rune, rest string) bool {
	switch {
	case r == utf8.RuneError:
		return strings.HasPrefix(rest, "\uFFFD")
	case r < ' ':
		return r == '\t' || r == '\n' || r == '\r'
	}
	return r != 0xFFFE && r != 0xFFFF
}
