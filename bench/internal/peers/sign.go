package peers

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	accessKeyID     = "bench-access-key"
	accessKeySecret = "bench-secret-access-key"
	s3Region        = "us-east-1"
	unsigned        = "UNSIGNED-PAYLOAD"
)

// signS3 signs r with AWS signature version 4, its body left out, as the OSS
// signature leaves it out too: the clients of all servers do the same work.
//
// Source: Amazon S3 API reference, Authenticating Requests (AWS Signature
// Version 4).
func signS3(r *http.Request, now time.Time) {
	date := now.UTC().Format("20060102T150405Z")
	day := date[:8]
	r.Header.Set("X-Amz-Date", date)
	r.Header.Set("X-Amz-Content-Sha256", unsigned)
	const signed = "host;x-amz-content-sha256;x-amz-date"
	canonical := strings.Join([]string{
		r.Method, escapePath(r.URL.Path), strings.ReplaceAll(r.URL.Query().Encode(), "+", "%20"),
		"host:" + r.Host, "x-amz-content-sha256:" + unsigned, "x-amz-date:" + date, "",
		signed, unsigned,
	}, "\n")
	scope := day + "/" + s3Region + "/s3/aws4_request"
	sum := sha256.Sum256([]byte(canonical))
	text := "AWS4-HMAC-SHA256\n" + date + "\n" + scope + "\n" + hex.EncodeToString(sum[:])
	key := []byte("AWS4" + accessKeySecret)
	for _, part := range []string{day, s3Region, "s3", "aws4_request"} {
		key = mac(key, part)
	}
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+accessKeyID+"/"+scope+
		",SignedHeaders="+signed+",Signature="+hex.EncodeToString(mac(key, text)))
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

// escapePath percent-encodes each part of a path.
func escapePath(path string) string {
	parts := strings.Split(path, "/")
	for i, p := range parts {
		parts[i] = strings.ReplaceAll(url.QueryEscape(p), "+", "%20")
	}
	return strings.Join(parts, "/")
}
