package accesslog

import (
	"net/url"
	"strings"
)

// redacted stands in the place of a secret.
const redacted = "REDACTED"

// secretWords, and "once" of links that sign in to the console, are parts of the names of parameters whose values are, or may hold,
// secrets: signatures and tokens of signed URLs, and callbacks, whose addresses,
// bodies and variables the uploader chooses.
var secretWords = []string{"signature", "token", "secret", "password", "credential-key", "callback"}

// notSecret are names that contain such a word and are harmless.
var notSecret = []string{
	"x-oss-signature-version", "signaturemethod", "signatureversion", "signaturenonce",
	"continuation-token", // the name of an object or a configuration
}

// Redact returns a query without its secrets, in at most 2,048 bytes of its own. Names
// are recognised in any case and however they are escaped.
func Redact(query string) string {
	var b strings.Builder
	for pair := range strings.SplitSeq(query, "&") {
		if b.Len() >= maxQuery {
			b.WriteString("&...")
			break
		}
		if b.Len() > 0 {
			b.WriteByte('&')
		}
		name, value, has := strings.Cut(pair, "=")
		if !has {
			b.WriteString(bounded(pair, maxQuery-min(b.Len(), maxQuery)))
			continue
		}
		if secret(name) {
			value = redacted
		}
		b.WriteString(bounded(name+"="+value, maxQuery-min(b.Len(), maxQuery)))
	}
	return b.String()
}

// secret reports whether the value of a parameter may be a secret. A name that cannot
// be read may be that of any.
func secret(name string) bool {
	plain, err := url.QueryUnescape(name)
	if err != nil {
		return true
	}
	plain = strings.ToLower(plain)
	for _, n := range notSecret {
		if plain == n {
			return false
		}
	}
	if plain == "once" {
		return true
	}
	for _, w := range secretWords {
		if strings.Contains(plain, w) {
			return true
		}
	}
	return false
}
