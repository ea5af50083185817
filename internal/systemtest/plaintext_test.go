package systemtest

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// secret is part of all content that must be encrypted, and open of all content that must not
// be.
const (
	secret = "/the-crown-jewels-are-under-the-third-floorboard/"
	open   = "/nothing-to-see-here-that-is-worth-to-be-encrypted/"
)

// marked returns size bytes that contain a marker everywhere.
func marked(marker string, size int) []byte {
	var b []byte
	for len(b) < size {
		b = append(b, marker...)
		b = append(b, noise[len(b)%1000:][:min(64, size)]...)
	}
	return b[:size]
}

// filesWith returns the files below dir that contain a marker.
func filesWith(t *testing.T, dir, marker string) (found []string) {
	t.Helper()
	for _, path := range filesBelow(t, dir) {
		data, err := os.ReadFile(path)
		check(t, err)
		if bytes.Contains(data, []byte(marker)) {
			found = append(found, path)
		}
	}
	return found
}

// A vault is a house and the objects that were put into it.
type vault struct {
	t    *testing.T
	h    *house
	want map[[2]string][]byte // by bucket and key
}

func (v *vault) must(q *request) answer {
	v.t.Helper()
	q.who = owner
	a, err := v.h.call(q, time.Now())
	if err != nil || a.status >= 300 {
		v.t.Fatalf("%v: %d %s %v", q, a.status, a.code, err)
	}
	return a
}

func (v *vault) put(q *request, data []byte) {
	v.t.Helper()
	v.must(q.with(data))
	v.want[[2]string{q.bucket, q.key}] = data
}

// TestNothingInTheClear encrypts content in every possible way and searches all files for the
// plain text: during the upload, after it, and after the server has ended.
func TestNothingInTheClear(t *testing.T) {
	h := newHouse(t, houseOptions{})
	key, err := h.keys.Create(account, "named")
	check(t, err)
	v := &vault{t, h, map[[2]string][]byte{}}
	for bucket, rule := range map[string]string{"asked": "", "aes": "<SSEAlgorithm>AES256</SSEAlgorithm>", "kms": "<SSEAlgorithm>KMS</SSEAlgorithm><KMSMasterKeyID>" + key.ID + "</KMSMasterKeyID>"} {
		v.must(to("PUT", bucket, ""))
		if rule != "" {
			v.must(to("PUT", bucket, "", "encryption", "").with([]byte("<ServerSideEncryptionRule><ApplyServerSideEncryptionByDefault>" + rule + "</ApplyServerSideEncryptionByDefault></ServerSideEncryptionRule>")))
		}
	}
	for _, bucket := range []string{"asked", "aes", "kms"} {
		for name, header := range map[string]map[string]string{
			"default": {}, "aes256": {"x-oss-server-side-encryption": "AES256"}, "kms": {"x-oss-server-side-encryption": "KMS"},
			"named": {"x-oss-server-side-encryption": "KMS", "x-oss-server-side-encryption-key-id": key.ID},
		} {
			if bucket == "asked" && name == "default" {
				continue
			}
			v.store(bucket, name, header)
		}
	}
	v.slowly()
	v.put(to("PUT", "asked", "open"), marked(open, 200_000))
	v.put(to("PUT", "asked", "open-small"), marked(open, 2000))

	v.check()
	v.search("while the server runs")
	h.audit(t)
	h.close()
	v.search("after the server has ended")
}

// store makes objects in every possible way, in one bucket.
func (v *vault) store(bucket, name string, header map[string]string) {
	v.t.Helper()
	on := func(method, key string, query ...string) *request {
		q := to(method, bucket, name+"/"+key, query...)
		for h, value := range header {
			q.header[h] = value
		}
		return q
	}
	for _, size := range []int{60, 4096, 65_536, 65_537, 300_000} {
		v.put(on("PUT", strconv.Itoa(size)), marked(secret, size))
	}
	log := []byte{}
	for _, size := range []int{60, 70_000, 100, 600_000, 10} {
		data := marked(secret, size)
		v.must(on("POST", "log", "append", "", "position", strconv.Itoa(len(log))).with(data))
		log = append(log, data...)
	}
	v.want[[2]string{bucket, name + "/log"}] = log

	for _, from := range []string{"60", "300000", "log"} {
		q := on("PUT", "copy-of-"+from)
		q.header["x-oss-copy-source"] = "/" + bucket + "/" + name + "/" + from
		v.must(q)
		v.want[[2]string{bucket, q.key}] = v.want[[2]string{bucket, name + "/" + from}]
	}

	var begun struct {
		UploadID string `xml:"UploadId"`
	}
	check(v.t, xml.Unmarshal(v.must(on("POST", "parts", "uploads", "")).body, &begun))
	one, two := marked(secret, minPart), marked(secret, 100)
	plain := func(method, number string) *request {
		return to(method, bucket, name+"/parts", "uploadId", begun.UploadID, "partNumber", number)
	}
	v.must(plain("PUT", "1").with(one))
	q := plain("PUT", "2")
	q.header["x-oss-copy-source"], q.header["x-oss-copy-source-range"] = "/"+bucket+"/"+name+"/300000", "bytes=1000-150999"
	v.must(q)
	v.must(plain("PUT", "3").with(two))
	done := to("POST", bucket, name+"/parts", "uploadId", begun.UploadID)
	done.header["x-oss-complete-all"] = "yes"
	v.must(done)
	joined := append(append(bytes.Clone(one), v.want[[2]string{bucket, name + "/300000"}][1000:151_000]...), two...)
	v.want[[2]string{bucket, name + "/parts"}] = joined

	v.must(on("POST", "unfinished", "uploads", ""))
}

// slowly searches while a body is being received.
func (v *vault) slowly() {
	v.t.Helper()
	data := marked(secret, 3<<20)
	q := to("PUT", "aes", "slow").with(data)
	q.who = owner
	r, err := q.build("http://127.0.0.1:9000", time.Now())
	check(v.t, err)
	body, in := io.Pipe()
	r.RequestURI, r.RemoteAddr, r.Body = r.URL.RequestURI(), "127.0.0.1:40000", body
	rec := httptest.NewRecorder()
	done := make(chan struct{})
	go func() {
		defer close(done)
		v.h.handler.ServeHTTP(rec, r)
	}()
	_, err = in.Write(data[:2<<20])
	check(v.t, err)
	if len(filesBelow(v.t, filepath.Join(v.h.dir, "tmp"))) == 0 {
		v.t.Error("no file is being written")
	}
	if found := filesWith(v.t, v.h.dir, secret); len(found) > 0 {
		v.t.Errorf("on its way in: %v", found)
	}
	_, err = in.Write(data[2<<20:])
	check(v.t, err)
	check(v.t, in.Close())
	<-done
	if rec.Code != 200 {
		v.t.Fatalf("%d %s", rec.Code, rec.Body)
	}
	v.want[[2]string{"aes", "slow"}] = data
}

// check reads all objects, and ranges of them.
func (v *vault) check() {
	v.t.Helper()
	rng := rand.New(rand.NewPCG(1, 2))
	for at, want := range v.want {
		a := v.must(to("GET", at[0], at[1]))
		if !bytes.Equal(a.body, want) {
			v.t.Errorf("%v: %d bytes, want %d", at, len(a.body), len(want))
		}
		encrypted := a.header.Get("X-Oss-Server-Side-Encryption") != ""
		if encrypted != bytes.Contains(want, []byte(secret[:20])) {
			v.t.Errorf("%v: %v", at, a.header)
		}
		for range 8 {
			from := rng.IntN(len(want))
			to := from + rng.IntN(len(want)-from)
			q := &request{method: "GET", bucket: at[0], key: at[1], header: map[string]string{"Range": fmt.Sprintf("bytes=%d-%d", from, to)}}
			if a := v.must(q); a.status != 206 || !bytes.Equal(a.body, want[from:to+1]) {
				v.t.Errorf("%v from %d to %d: %d, %d bytes", at, from, to, a.status, len(a.body))
			}
		}
	}
}

// search searches for both markers. The open marker must be found, which shows that the search
// works.
func (v *vault) search(when string) {
	v.t.Helper()
	if found := filesWith(v.t, v.h.dir, secret); len(found) > 0 {
		v.t.Errorf("%s, in the clear: %v", when, found)
	}
	if found := filesWith(v.t, v.h.dir, open); len(found) == 0 {
		v.t.Errorf("%s, nothing holds what is not encrypted", when)
	}
}
