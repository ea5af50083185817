package console

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// policy lets a page load what the console itself serves, and nothing else. No
// script or style inside a page runs.
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

// refusesOrigin returns why a request that another site has caused is refused;
// empty: it is not. A site on another port of the same host, such as the API
// that serves the objects of strangers, counts as another one, though browsers
// send it the same cookies.
func refusesOrigin(r *http.Request) string {
	const why = "this request comes from another site"
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		switch r.Header.Get("Sec-Fetch-Site") {
		case "cross-site", "same-site":
			// A link that was followed is welcome; what a page loads by itself is not.
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

// remote returns the address of the other end; the zero value if it has none.
func remote(r *http.Request) netip.Addr {
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return from.Addr().Unmap()
}

// private reports whether what is sent over the connection stays on this machine
// or is encrypted, so that a secret may be. Without TLS the browser must have
// asked for this machine by its own name: the name of another site may have been
// made to mean this machine.
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
