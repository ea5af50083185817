package bucketxml_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/ossapi/bucketxml"
	"github.com/stocktake/stocktake/internal/ossxml"
)

// again parses what write wrote.
func again(t *testing.T, root string, write func(*ossxml.Writer)) *ossxml.Element {
	t.Helper()
	var x ossxml.Writer
	write(&x)
	return parse(t, root, string(x.Buf))
}

func parse(t *testing.T, root, text string) *ossxml.Element {
	t.Helper()
	doc, err := ossxml.Parse([]byte(text), root)
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// TestLifecycleReadsBack checks that a document with every element is unchanged
// after it was written and parsed.
func TestLifecycleReadsBack(t *testing.T) {
	const root = "LifecycleConfiguration"
	first, err := bucketxml.ParseLifecycle(parse(t, root, `<LifecycleConfiguration>
<Rule><ID>logs &amp; more</ID><Prefix>logs/</Prefix><Status>Enabled</Status><Tag><Key>a</Key><Value>b</Value></Tag>
<Filter><ObjectSizeGreaterThan>1</ObjectSizeGreaterThan><ObjectSizeLessThan>9</ObjectSizeLessThan>
<Not><Prefix>logs/keep/</Prefix><Tag><Key>c</Key><Value>d</Value></Tag></Not></Filter>
<Transition><Days>30</Days><StorageClass>IA</StorageClass></Transition>
<Transition><CreatedBeforeDate>2026-01-05T00:00:00.000Z</CreatedBeforeDate><StorageClass>Archive</StorageClass></Transition>
<Expiration><Days>90</Days></Expiration><AbortMultipartUpload><Days>7</Days></AbortMultipartUpload>
<NoncurrentVersionTransition><NoncurrentDays>5</NoncurrentDays><StorageClass>IA</StorageClass></NoncurrentVersionTransition>
<NoncurrentVersionExpiration><NoncurrentDays>10</NoncurrentDays></NoncurrentVersionExpiration></Rule>
<Rule><Prefix/><Status>Disabled</Status><Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration></Rule>
</LifecycleConfiguration>`))
	if err != nil {
		t.Fatal(err)
	}
	second, err := bucketxml.ParseLifecycle(again(t, root, func(x *ossxml.Writer) { bucketxml.WriteLifecycle(x, &first) }))
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(first, second); d != "" {
		t.Errorf("changed by writing and reading:\n%s", d)
	}
	if r := first.Rules[0]; len(r.Transitions) != 2 || r.Expiration == nil || r.AbortUploads == nil || r.NoncurrentExpiration != 10 || len(r.Not) != 1 || r.Not[0].Tag == nil || len(r.Tags) != 1 || r.SizeLessThan != 9 {
		t.Errorf("not everything was read: %+v", r)
	}
	if id := first.Rules[1].ID; id != "rule-2" {
		t.Errorf("the rule without an id is %q", id)
	}
}

// TestCORSReadsBack does the same for cross-origin rules.
func TestCORSReadsBack(t *testing.T) {
	const root = "CORSConfiguration"
	first, err := bucketxml.ParseCORS(parse(t, root, `<CORSConfiguration>
<CORSRule><AllowedOrigin>https://*.example.com</AllowedOrigin><AllowedOrigin>*</AllowedOrigin><AllowedMethod>GET</AllowedMethod>
<AllowedHeader>x-oss-*</AllowedHeader><ExposeHeader>ETag</ExposeHeader><MaxAgeSeconds>0</MaxAgeSeconds></CORSRule>
<CORSRule><AllowedOrigin>http://a</AllowedOrigin><AllowedMethod>PUT</AllowedMethod></CORSRule>
<ResponseVary>true</ResponseVary></CORSConfiguration>`))
	if err != nil {
		t.Fatal(err)
	}
	second, err := bucketxml.ParseCORS(again(t, root, func(x *ossxml.Writer) { bucketxml.WriteCORS(x, first) }))
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(first, second); d != "" {
		t.Errorf("changed by writing and reading:\n%s", d)
	}
	if r := first.Rules[0]; len(r.AllowedOrigins) != 2 || r.MaxAge == nil || !first.ResponseVary {
		t.Errorf("not everything was read: %+v", first)
	}
}

func TestCORSIsRefused(t *testing.T) {
	const rule = `<CORSRule><AllowedOrigin>*</AllowedOrigin><AllowedMethod>GET</AllowedMethod></CORSRule>`
	for name, text := range map[string]string{
		"no rule":      "",
		"no origin":    `<CORSRule><AllowedMethod>GET</AllowedMethod></CORSRule>`,
		"no method":    `<CORSRule><AllowedOrigin>*</AllowedOrigin></CORSRule>`,
		"two stars":    `<CORSRule><AllowedOrigin>*.*</AllowedOrigin><AllowedMethod>GET</AllowedMethod></CORSRule>`,
		"method":       `<CORSRule><AllowedOrigin>*</AllowedOrigin><AllowedMethod>PATCH</AllowedMethod></CORSRule>`,
		"header":       strings.Replace(rule, "</CORSRule>", "<AllowedHeader>a b</AllowedHeader></CORSRule>", 1),
		"star exposed": strings.Replace(rule, "</CORSRule>", "<ExposeHeader>*</ExposeHeader></CORSRule>", 1),
		"age":          strings.Replace(rule, "</CORSRule>", "<MaxAgeSeconds>1000000000</MaxAgeSeconds></CORSRule>", 1),
		"two ages":     strings.Replace(rule, "</CORSRule>", "<MaxAgeSeconds>1</MaxAgeSeconds><MaxAgeSeconds>1</MaxAgeSeconds></CORSRule>", 1),
		"eleven rules": strings.Repeat(rule, 11),
		"vary":         rule + `<ResponseVary>yes</ResponseVary>`,
	} {
		_, err := bucketxml.ParseCORS(parse(t, "CORSConfiguration", "<CORSConfiguration>"+text+"</CORSConfiguration>"))
		_, malformed := errors.AsType[*stocktake.MalformedXMLError](err)
		_, illegal := errors.AsType[*stocktake.InvalidArgumentError](err)
		if !malformed && !illegal {
			t.Errorf("%s: %v", name, err)
		}
	}
}
