package remote_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/engine"
	"github.com/stocktake/stocktake/internal/remote"
)

// answers maps requests about objects to answers: "HEAD", "acl", "tagging", or
// "GET", which returns the reason for a refused HEAD.
type answersTo map[string]func(key string) (status int, body string, header http.Header)

func always(status int, body string, header ...string) func(string) (int, string, http.Header) {
	h := http.Header{}
	for i := 0; i < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	return func(string) (int, string, http.Header) { return status, body, h }
}

// except answers as usual, except for one key.
func except(key string, unusual, usual func(string) (int, string, http.Header)) func(string) (int, string, http.Header) {
	return func(k string) (int, string, http.Header) {
		if k == key {
			return unusual(k)
		}
		return usual(k)
	}
}

func failure(status int, code string) func(string) (int, string, http.Header) {
	return always(status, "<Error><Code>"+code+"</Code></Error>")
}

const (
	aclOf = `<AccessControlPolicy xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Owner><ID>o</ID></Owner><AccessControlList>` +
		`<Grant><Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="CanonicalUser"><ID>o</ID></Grantee><Permission>FULL_CONTROL</Permission></Grant>%s` +
		`</AccessControlList></AccessControlPolicy>`
	publicGrant = `<Grant><Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="Group"><URI>http://acs.amazonaws.com/groups/global/AllUsers</URI></Grantee><Permission>%s</Permission></Grant>`
	twoTags     = `<Tagging><TagSet><Tag><Key>a</Key><Value>1</Value></Tag><Tag><Key>b</Key><Value/></Tag></TagSet></Tagging>`
)

// detailed is a service that answers requests about objects, and records them.
type detailed struct {
	answers answersTo
	latency time.Duration

	mu        sync.Mutex
	asked     []string
	now, most int
}

func (d *detailed) wire(req *http.Request) (*http.Response, error) {
	if req.URL.Query().Has("versioning") {
		return answer(200, "<VersioningConfiguration/>"), nil
	}
	what := req.Method
	for _, q := range []string{"acl", "tagging"} {
		if req.URL.Query().Has(q) {
			what = q
		}
	}
	d.mu.Lock()
	d.asked = append(d.asked, what+" "+req.URL.RequestURI())
	d.now++
	d.most = max(d.most, d.now)
	d.mu.Unlock()
	time.Sleep(d.latency)
	d.mu.Lock()
	d.now--
	d.mu.Unlock()
	status, body, header := d.answers[what](strings.TrimPrefix(req.URL.Path, "/bucket/"))
	if req.Method == http.MethodHead {
		body = ""
	}
	resp := answer(status, body)
	resp.Header = header
	return resp, nil
}

// missingAll are records with the values missing that listings lack.
func missingAll(keys ...string) (records []stocktake.Record) {
	for _, k := range keys {
		records = append(records, stocktake.Record{Key: []byte(k), Missing: 31})
	}
	return records
}

var detailColumns = []stocktake.Field{stocktake.FieldEncryptionStatus, stocktake.FieldObjectACL, stocktake.FieldTaggingCount}

func fetch(t *testing.T, kind string, o remote.Options, records []stocktake.Record, wanted func(int) bool) (engine.DetailedSnapshot, error) {
	t.Helper()
	o.WrapTransport = retried
	if kind == "oss" {
		o.Addressing = remote.PathStyle
	}
	snap, err := open(t, kind, o).Source().Snapshot(t.Context(), "bucket")
	if err != nil {
		t.Fatal(err)
	}
	d := snap.(engine.DetailedSnapshot)
	return d, d.Fetch(t.Context(), records, append(detailColumns[:3:3], stocktake.FieldCRC64), wanted)
}

func all(int) bool { return true }

// The answers of both dialects set the values that records lack.
func TestDetails(t *testing.T) {
	for _, tt := range []struct {
		kind    string
		answers answersTo
		want    stocktake.Record
	}{
		{
			"s3",
			answersTo{"HEAD": always(200, ""), "acl": always(200, fmt.Sprintf(aclOf, "")), "tagging": always(200, "<Tagging><TagSet/></Tagging>")},
			stocktake.Record{ACL: stocktake.Private, Missing: stocktake.MissingCRC64 | stocktake.MissingType},
		},
		{
			"s3",
			answersTo{
				"HEAD": always(200, "", "x-amz-server-side-encryption", "AES256"),
				"acl":  always(200, fmt.Sprintf(aclOf, fmt.Sprintf(publicGrant, "READ"))), "tagging": always(200, twoTags),
			},
			stocktake.Record{ACL: stocktake.PublicRead, Encrypted: true, TaggingCount: 2, Missing: stocktake.MissingCRC64 | stocktake.MissingType},
		},
		{
			"s3",
			answersTo{
				"HEAD": always(400, ""), "GET": failure(400, "InvalidRequest"), // encrypted with a key of its client
				"acl": always(200, fmt.Sprintf(aclOf, fmt.Sprintf(publicGrant, "WRITE"))), "tagging": failure(404, "NoSuchTagSet"),
			},
			stocktake.Record{ACL: stocktake.PublicReadWrite, Missing: stocktake.MissingEncryption | stocktake.MissingCRC64 | stocktake.MissingType},
		},
		{
			"s3",
			answersTo{
				"HEAD": always(403, ""), "GET": always(206, "x", "x-amz-server-side-encryption", "aws:kms"),
				"acl": failure(404, "NoSuchKey"), "tagging": failure(405, "MethodNotAllowed"),
			},
			stocktake.Record{Encrypted: true, Missing: 31 &^ stocktake.MissingEncryption},
		},
		{
			"oss",
			answersTo{
				"HEAD": always(200, "", "x-oss-hash-crc64ecma", "18446744073709551615", "x-oss-server-side-encryption", "KMS"),
				"acl":  always(200, "<AccessControlPolicy><AccessControlList><Grant>public-read</Grant></AccessControlList></AccessControlPolicy>"), "tagging": always(200, twoTags),
			},
			stocktake.Record{ACL: stocktake.PublicRead, Encrypted: true, TaggingCount: 2, CRC64: 1<<64 - 1, HasCRC64: true, Missing: stocktake.MissingType},
		},
	} {
		d := &detailed{answers: tt.answers}
		records := missingAll("a")
		if _, err := fetch(t, tt.kind, remote.Options{Transport: wire(d.wire)}, records, all); err != nil {
			t.Fatal(err)
		}
		tt.want.Key = []byte("a")
		if got, want := fmt.Sprintf("%+v", records[0]), fmt.Sprintf("%+v", tt.want); got != want {
			t.Errorf("%s: %s, want %s", tt.kind, got, want)
		}
	}
}

// Requests are made only for the wanted versions that exist, by their keys.
func TestDetailsAsk(t *testing.T) {
	d := &detailed{answers: answersTo{"HEAD": always(200, "")}}
	records := missingAll("a b/ü?+%&=", "b", "c", "d")
	records[0].VersionID, records[1].VersionID = []byte("v+1"), []byte("null")
	records[2].IsDeleteMarker = true
	snap, err := open(t, "s3", remote.Options{Transport: wire(d.wire)}).Source().Snapshot(t.Context(), "bucket")
	if err != nil {
		t.Fatal(err)
	}
	if err := snap.(engine.DetailedSnapshot).Fetch(t.Context(), records, detailColumns[:1], func(i int) bool { return i < 3 }); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"HEAD /bucket/a%20b/%C3%BC%3F%2B%25%26%3D?versionId=v%2B1",
		"HEAD /bucket/b?versionId=null",
	}
	slices.Sort(d.asked)
	if !slices.Equal(d.asked, want) {
		t.Errorf("asked %q, want %q", d.asked, want)
	}
}

// A request that a store does not support makes the values unavailable, and is not
// made again.
func TestUnknownQuestions(t *testing.T) {
	d := &detailed{answers: answersTo{"HEAD": always(200, ""), "acl": failure(501, "NotImplemented"), "tagging": always(200, twoTags)}}
	records := missingAll(manyKeys()...)
	snap, err := fetch(t, "s3", remote.Options{Transport: wire(d.wire), Requests: 1}, records, all)
	if err != nil {
		t.Fatal(err)
	}
	if a := snap.Availability(stocktake.FieldObjectACL); a != engine.Unavailable {
		t.Errorf("ACLs are %v", a)
	}
	n := 0
	for _, q := range d.asked {
		if strings.HasPrefix(q, "acl") {
			n++
		}
	}
	if n != 1 || records[7].Missing != 31&^stocktake.MissingEncryption&^stocktake.MissingTags {
		t.Errorf("asked %d times, then record %+v", n, records[7])
	}
}

// A failure for one object leaves its values missing. A failure for all, or one
// unrelated to the object, fails the scan with the reason.
func TestDetailsFail(t *testing.T) {
	good := answersTo{"HEAD": always(200, ""), "acl": always(200, fmt.Sprintf(aclOf, "")), "tagging": always(200, twoTags), "GET": always(206, "x")}
	for _, tt := range []struct {
		name    string
		what    string
		answer  func(string) (int, string, http.Header)
		denied  bool
		message string // empty: no error
	}{
		{"one is denied", "tagging", except("k007", failure(403, "AccessDenied"), good["tagging"]), false, ""},
		{"all are denied", "tagging", failure(403, "AccessDenied"), true, "lack the right s3:GetObjectTagging"},
		{"one is gone", "tagging", except("k007", failure(404, "NoSuchKey"), good["tagging"]), false, ""},
		{"the bucket is gone", "tagging", failure(404, "NoSuchBucket"), false, "NoSuchBucket"},
		{"credentials expire", "tagging", except("k007", failure(400, "ExpiredToken"), good["tagging"]), true, "ExpiredToken"},
		{"it breaks down", "tagging", failure(500, "InternalError"), false, "InternalError"},
		{"nonsense", "tagging", always(200, "<html/>"), false, "html"},
		{"not XML", "acl", always(200, "{}"), false, "GetObjectAcl"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				answers := answersTo{}
				for k, v := range good {
					answers[k] = v
				}
				answers[tt.what] = tt.answer
				d := &detailed{answers: answers}
				records := missingAll(manyKeys()...)
				_, err := fetch(t, "s3", remote.Options{Transport: wire(d.wire)}, records, all)
				switch {
				case tt.message == "" && (err != nil || records[7].Missing&stocktake.MissingTags == 0 || records[8].Missing&stocktake.MissingTags != 0):
					t.Errorf("%v, record %+v", err, records[7])
				case tt.message != "" && (err == nil || !strings.Contains(err.Error(), tt.message) || errors.Is(err, stocktake.ErrAccessDenied) != tt.denied):
					t.Errorf("%v, want %s", err, tt.message)
				}
			})
		})
	}
}

// The answer to a refused HEAD has no reason: if credentials expire while only HEAD
// requests are made, the values must not stay empty.
func TestExpiredCredentialsOfHead(t *testing.T) {
	d := &detailed{answers: answersTo{"HEAD": except("k007", always(403, ""), always(200, "")), "GET": failure(403, "InvalidAccessKeyId")}}
	snap, err := open(t, "s3", remote.Options{Transport: wire(d.wire)}).Source().Snapshot(t.Context(), "bucket")
	if err != nil {
		t.Fatal(err)
	}
	err = snap.(engine.DetailedSnapshot).Fetch(t.Context(), missingAll(manyKeys()...), detailColumns[:1], all)
	if !errors.Is(err, stocktake.ErrAccessDenied) || !strings.Contains(err.Error(), "InvalidAccessKeyId") {
		t.Errorf("%v", err)
	}
}

// Many objects are requested concurrently, but no more than allowed, whatever the
// number of scans.
func TestDetailsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &detailed{latency: 10 * time.Millisecond, answers: answersTo{"HEAD": always(200, "")}}
		snap, err := open(t, "s3", remote.Options{Transport: wire(d.wire), Requests: 20}).Source().Snapshot(t.Context(), "bucket")
		if err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		var scans sync.WaitGroup
		for range 3 {
			scans.Go(func() {
				if err := snap.(engine.DetailedSnapshot).Fetch(t.Context(), missingAll(manyKeys()...), detailColumns[:1], all); err != nil {
					t.Error(err)
				}
			})
		}
		scans.Wait()
		if took := time.Since(begin); d.most != 20 || took != 600/20*10*time.Millisecond {
			t.Errorf("%d requests at once, %v", d.most, took)
		}
	})
}

// Every key is requested in the form of the store.
func FuzzObjectPath(f *testing.F) {
	for _, k := range []string{"a", "a//b", "../x", ".", "ü %2F+", "\x00\xff"} {
		f.Add(k)
	}
	f.Fuzz(func(t *testing.T, key string) {
		if key == "" {
			return
		}
		var path string
		s := open(t, "s3", remote.Options{Transport: wire(func(req *http.Request) (*http.Response, error) {
			if req.Method == http.MethodHead {
				path = req.URL.EscapedPath()
			}
			return answer(200, "<VersioningConfiguration/>"), nil
		})})
		snap, err := s.Source().Snapshot(t.Context(), "bucket")
		if err != nil {
			t.Fatal(err)
		}
		if err := snap.(engine.DetailedSnapshot).Fetch(t.Context(), missingAll(key), detailColumns[:1], all); err != nil {
			t.Fatal(err)
		}
		if got, err := url.PathUnescape(path); err != nil || got != "/bucket/"+key {
			t.Errorf("%q is asked for as %q", key, path)
		}
	})
}
