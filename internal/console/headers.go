package console

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// policy allows a page to load only what the console itself serves. Inline scripts
// and styles do not run.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// secure sets the headers that all answers have.
func secure(h http.Header, r *http.Request) {
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
	h.Set("Cache-Control", "no-store")
	if r.TLS != nil {
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
}

// refusesOrigin returns why a request caused by another site is rejected; empty if
// it is allowed. Another port of the same host counts as another site, although
// browsers send it the same cookies: the API, which serves untrusted objects, may
// be there.
func refusesOrigin(r *http.Request) string {
	const why = "this request comes from another site"
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		switch r.Header.Get("Sec-Fetch-Site") {
		case "cross-site", "same-site":
			// Allow a link that the user follows; reject anything that a page loads by
			// itself.
			if r.Header.Get("Sec-Fetch-Mode") != "navigate" || r.Header.Get("Sec-Fetch-Dest") != "document" {
				return why
			}
		}
		return ""
	}
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" && site != "same-origin" {
		return why
	}
	from, err := url.Parse(r.Header.Get("Origin"))
	if err != nil || from.Host == "" || !strings.EqualFold(from.Host, r.Host) || (from.Scheme == "https") != (r.TLS != nil) {
		return why + ", or from a browser that does not say where it comes from"
	}
	return ""
}

// remote returns the address of the client; the zero value if it has none.
func remote(r *http.Request) netip.Addr {
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return from.Addr().Unmap()
}

// private reports whether data on the connection stays on this machine or is
// encrypted, so that it may contain a secret. Without TLS the browser must have
// used a host name of this machine itself: another site's name may resolve to this
// machine.
func private(r *http.Request) bool {
	if r.TLS != nil {
		return true
	}
	host, _, err := net.SplitHostPort(r.Host)
	if err != nil {
		host = r.Host
	}
	ip, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return remote(r).IsLoopback() && (host == "localhost" || err == nil && ip.Unmap().IsLoopback())
}
