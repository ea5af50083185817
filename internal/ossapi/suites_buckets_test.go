package ossapi_test

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stocktake/stocktake/internal/signature"
)

// TestHeadBucket requests an existing bucket, a missing one, and one as a user
// without rights.
func TestHeadBucket(t *testing.T) {
	w := newWorld(t)
	w.bucket(t, "photos")
	w.must(t, w.do(t, "HEAD", "/photos/", "", nil), 200)
	if m := w.must(t, w.do(t, "HEAD", "/missing/", "", nil), 404); m.header.Get("X-Oss-Err") == "" {
		t.Errorf("%v", m.header)
	}
	w.must(t, w.other(t, "HEAD", "/photos/", "", nil), 403)
	w.must(t, w.anonymous(t, "HEAD", "/photos/", ""), 403)
}

// TestEmptyLists requests lists that clients use although they are always empty.
func TestEmptyLists(t *testing.T) {
	w := newWorld(t)
	w.bucket(t, "photos")
	m := w.must(t, w.do(t, "GET", "/photos/?live&max-keys=5", "", nil), 200)
	if !strings.Contains(m.body, "<ListLiveChannelResult>") || !strings.Contains(m.body, "<MaxKeys>5</MaxKeys>") || strings.Contains(m.body, "<LiveChannel>") {
		t.Error(m.body)
	}
	w.refused(t, w.do(t, "GET", "/photos/?live&max-keys=0", "", nil), 400, "InvalidArgument")
	w.refused(t, w.do(t, "GET", "/photos/?live&prefix="+strings.Repeat("a", 2000), "", nil), 400, "InvalidArgument")
	w.refused(t, w.do(t, "PUT", "/photos/channel?live", "", nil), 501, "NotImplemented")
	if m := w.must(t, w.do(t, "GET", "/?regionList", "", nil), 200); !strings.Contains(m.body, "<Name>photos</Name>") {
		t.Error(m.body)
	}
}

// TestListBucketsByTag holds that a list by tag shows the tags.
func TestListBucketsByTag(t *testing.T) {
	w := newWorld(t)
	w.must(t, w.do(t, "PUT", "/tagged", "", map[string]string{"X-Oss-Bucket-Tagging": "a=1&b=2"}), 200)
	w.bucket(t, "plain")
	const tags = "<Tagging><TagSet><Tag><Key>a</Key><Value>1</Value></Tag><Tag><Key>b</Key><Value>2</Value></Tag></TagSet></Tagging>"
	for _, query := range []string{"tag-key=a", "tag-key=a&tag-value=1", "tagging=%22a%22:%221%22"} {
		if m := w.must(t, w.do(t, "GET", "/?"+query, "", nil), 200); !strings.Contains(m.body, tags) || strings.Contains(m.body, "plain") {
			t.Errorf("%s: %s", query, m.body)
		}
	}
	if m := w.must(t, w.do(t, "GET", "/", "", nil), 200); strings.Contains(m.body, "<Tagging>") {
		t.Error(m.body)
	}
}

// TestUploadMarkers holds that the markers of a complete list of uploads name its
// last entry.
func TestUploadMarkers(t *testing.T) {
	w := newWorld(t)
	w.bucket(t, "photos")
	empty := w.must(t, w.do(t, "GET", "/photos/?uploads", "", nil), 200)
	if !strings.Contains(empty.body, "<NextKeyMarker></NextKeyMarker>") {
		t.Error(empty.body)
	}
	w.upload(t, "/photos/a", nil)
	id := w.upload(t, "/photos/b", nil)
	m := w.must(t, w.do(t, "GET", "/photos/?uploads", "", nil), 200)
	if !strings.Contains(m.body, "<NextKeyMarker>b</NextKeyMarker><NextUploadIdMarker>"+id+"</NextUploadIdMarker>") || !strings.Contains(m.body, "<IsTruncated>false<") {
		t.Error(m.body)
	}
	w.upload(t, "/photos/c/1", nil)
	m = w.must(t, w.do(t, "GET", "/photos/?uploads&delimiter=/", "", nil), 200)
	if !strings.Contains(m.body, "<NextKeyMarker>c/</NextKeyMarker><NextUploadIdMarker></NextUploadIdMarker>") {
		t.Error(m.body)
	}
}

// TestEmptyBucketStat holds that a bucket without objects has no time of change.
func TestEmptyBucketStat(t *testing.T) {
	w := newWorld(t)
	w.bucket(t, "photos")
	stat := func() string { return w.must(t, w.do(t, "GET", "/photos/?stat", "", nil), 200).body }
	if s := stat(); !strings.Contains(s, "<LastModifiedTime>0</LastModifiedTime>") {
		t.Error(s)
	}
	w.must(t, w.do(t, "PUT", "/photos/cat", "meow", nil), 200)
	if s := stat(); strings.Contains(s, "<LastModifiedTime>0</LastModifiedTime>") {
		t.Error(s)
	}
	w.must(t, w.do(t, "DELETE", "/photos/cat", "", nil), 204)
	if s := stat(); !strings.Contains(s, "<LastModifiedTime>0</LastModifiedTime>") {
		t.Error(s)
	}
}

// TestPutBucketEncryptionHeaders holds that the headers of PutBucket set the
// bucket's default encryption.
func TestPutBucketEncryptionHeaders(t *testing.T) {
	w := newWorld(t)
	w.must(t, w.do(t, "PUT", "/aes", "", map[string]string{"X-Oss-Server-Side-Encryption": "AES256"}), 200)
	w.must(t, w.do(t, "PUT", "/kms", "", map[string]string{
		"X-Oss-Server-Side-Encryption": "KMS", "X-Oss-Server-Side-Encryption-Key-Id": "k", "X-Oss-Server-Side-Data-Encryption": "SM4",
	}), 200)
	for bucket, want := range map[string]string{
		"aes": "<SSEAlgorithm>AES256</SSEAlgorithm></Apply",
		"kms": "<SSEAlgorithm>KMS</SSEAlgorithm><KMSMasterKeyID>k</KMSMasterKeyID><KMSDataEncryption>SM4</KMSDataEncryption>",
	} {
		if m := w.must(t, w.do(t, "GET", "/"+bucket+"/?encryption", "", nil), 200); !strings.Contains(m.body, want) {
			t.Error(m.body)
		}
	}
	w.refused(t, w.do(t, "PUT", "/bad", "", map[string]string{"X-Oss-Server-Side-Encryption": "ROT13"}), 400, "InvalidEncryptionAlgorithmError")
	w.must(t, w.do(t, "HEAD", "/bad/", "", nil), 404)

	// Data encryption together with AES256 has no effect.
	rule := "<ServerSideEncryptionRule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>AES256</SSEAlgorithm><KMSDataEncryption>SM4</KMSDataEncryption></ApplyServerSideEncryptionByDefault></ServerSideEncryptionRule>"
	w.must(t, w.do(t, "PUT", "/kms/?encryption", rule, nil), 200)
	if m := w.must(t, w.do(t, "GET", "/kms/?encryption", "", nil), 200); strings.Contains(m.body, "SM4") {
		t.Error(m.body)
	}
}

// TestMixedLifecycleAges holds that one rule has either dates or days.
func TestMixedLifecycleAges(t *testing.T) {
	w := newWorld(t)
	w.bucket(t, "photos")
	rule := func(parts string) string {
		return "<LifecycleConfiguration><Rule><ID>r</ID><Prefix>a/</Prefix><Status>Enabled</Status>" + parts + "</Rule></LifecycleConfiguration>"
	}
	const date = "<CreatedBeforeDate>2026-01-05T00:00:00.000Z</CreatedBeforeDate>"
	w.refused(t, w.do(t, "PUT", "/photos/?lifecycle", rule("<Expiration><Days>30</Days></Expiration><Transition>"+date+"<StorageClass>IA</StorageClass></Transition>"), nil), 400, "InvalidRequest")
	w.must(t, w.do(t, "PUT", "/photos/?lifecycle", rule("<Expiration><Days>30</Days></Expiration><AbortMultipartUpload>"+date+"</AbortMultipartUpload>"), nil), 200)
}

// TestPrincipalInBrackets holds that a UID may be in brackets.
func TestPrincipalInBrackets(t *testing.T) {
	w := newWorld(t)
	w.bucket(t, "photos")
	w.must(t, w.do(t, "PUT", "/photos/cat", "meow", nil), 200)
	policy := `{"Version":"1","Statement":[{"Effect":"Allow","Action":"oss:GetObject","Principal":["[` + stranger + `]"],"Resource":["acs:oss:*:*:photos/*"]}]}`
	w.must(t, w.do(t, "PUT", "/photos/?policy", policy, nil), 200)
	w.must(t, w.other(t, "GET", "/photos/cat", "", nil), 200)
	w.refused(t, w.do(t, "PUT", "/photos/?policy", strings.Replace(policy, "["+stranger, "["+"x", 1), nil), 400, "InvalidPolicyDocument")
}

// TestUnknownKeys checks the answers to keys that do not exist, or not with a
// token.
func TestUnknownKeys(t *testing.T) {
	w := newWorld(t)
	w.bucket(t, "photos")
	as := func(c signature.Credentials, method, path string) message {
		r := w.request(t, method, path, "", map[string]string{"X-Oss-Acl": "private"})
		bucket, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		return w.send(t, w.signedAs(t, r, c, signature.Target{Bucket: bucket, Key: key}))
	}
	unknown := signature.Credentials{ID: "nobody", Secret: "x"}
	w.refused(t, as(unknown, "PUT", "/missing/?acl"), 403, "InvalidAccessKeyId")
	w.refused(t, as(unknown, "GET", "/missing/?acl"), 404, "NoSuchBucket")
	w.refused(t, as(unknown, "PUT", "/photos/?acl"), 403, "InvalidAccessKeyId")
	w.refused(t, as(signature.Credentials{ID: keyID, Secret: secret, Token: "none"}, "GET", "/photos/"), 403, "InvalidAccessKeyId")
}

// TestFarFuture signs with V1 for a date in the far future.
func TestFarFuture(t *testing.T) {
	w := newWorld(t)
	w.bucket(t, "photos")
	for _, year := range []int{2033, 2300, 9999} {
		for _, header := range []string{"Date", "X-Oss-Date"} {
			r := w.request(t, "GET", "/photos/", "", nil)
			at := time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC)
			check(t, signature.Sign(r, signature.Target{Bucket: "photos"}, signature.Credentials{ID: keyID, Secret: secret}, region, signature.V1, at))
			r.Header.Del("Date")
			r.Header.Set(header, at.Format(http.TimeFormat))
			m := w.send(t, r)
			if p := m.problem(t); m.status != 403 || p.Code != "RequestTimeTooSkewed" && p.Code != "SignatureDoesNotMatch" {
				t.Errorf("%d, %s: %d %s", year, header, m.status, p.Code)
			}
		}
		r := w.request(t, "GET", "/photos/", "", nil)
		check(t, signature.Sign(r, signature.Target{Bucket: "photos"}, signature.Credentials{ID: keyID, Secret: secret}, region, signature.V1, time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC)))
		w.refused(t, w.send(t, r), 403, "RequestTimeTooSkewed")
	}
	r := w.request(t, "GET", "/photos/", "", map[string]string{"Date": "Sat, 01 Jan 12000 00:00:00 GMT"})
	mac := hmac.New(sha1.New, []byte(secret))
	io.WriteString(mac, "GET\n\n\nSat, 01 Jan 12000 00:00:00 GMT\n/photos/")
	r.Header.Set("Authorization", "OSS "+keyID+":"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	w.refused(t, w.send(t, r), 403, "RequestTimeTooSkewed")
}
