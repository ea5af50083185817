package sts

import (
	"mime"
	"net"
	"net/http"
	"strings"
)

const (
	action  = "AssumeRole"
	version = "2015-04-01"
)

// Is reports whether r is a call of STS. A request to a host of STS
// (sts.aliyuncs.com, sts.<region>.aliyuncs.com, sts-vpc.<region>.aliyuncs.com) is
// one. On any other host, two requests of the path "/" are: a GET or POST whose
// query says Action=AssumeRole, and an unsigned POST of a URL-encoded form without
// a query. OSS has no such operations. Is reads no body.
func Is(r *http.Request) bool {
	if isHost(r.Host) {
		return true
	}
	if r.URL.Path != "/" || r.Method != http.MethodGet && r.Method != http.MethodPost {
		return false
	}
	for pair := range strings.SplitSeq(r.URL.RawQuery, "&") {
		if pair == "Action="+action {
			return true
		}
	}
	return r.Method == http.MethodPost && r.URL.RawQuery == "" && r.Header.Get("Authorization") == "" && hasForm(r)
}

func hasForm(r *http.Request) bool {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return err == nil && kind == "application/x-www-form-urlencoded"
}

// isHost reports whether host, with or without a port, is one of STS.
func isHost(host string) bool {
	if len(host) < 4 || !strings.EqualFold(host[:3], "sts") {
		return false // nearly all of them
	}
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if host == "sts.aliyuncs.com" {
		return true
	}
	region, ok := strings.CutPrefix(host, "sts.")
	if !ok {
		region, ok = strings.CutPrefix(host, "sts-vpc.")
	}
	if !ok {
		return false
	}
	// sts.oss-cn-hangzhou.aliyuncs.com is a bucket.
	region, ok = strings.CutSuffix(region, ".aliyuncs.com")
	return ok && region != "" && !strings.Contains(region, ".") && !strings.HasPrefix(region, "oss-")
}
