package signature

import (
	"crypto/hmac"
	"crypto/sha1"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Errors of Sign and Presign: mistakes of the caller.
var (
	ErrNoCredentials = errors.New("signature: no access key")
	ErrNoScheme      = errors.New("signature: no such scheme")
)

// Sign signs r in its header at time t: it sets Date, x-oss-date and
// x-oss-content-sha256 (V4), x-oss-security-token and Authorization. Only V4 uses
// region and additional. It signs those additional headers that r has.
func Sign(r *http.Request, target Target, cred Credentials, region string, scheme Scheme, t time.Time, additional ...string) error {
	if cred.ID == "" || cred.Secret == "" {
		return ErrNoCredentials
	}
	if r.Header == nil {
		r.Header = make(http.Header)
	}
	t = t.UTC()
	r.Header.Del("Authorization")
	r.Header.Set("Date", t.Format(http.TimeFormat))
	if cred.Token != "" {
		r.Header.Set(headerToken, cred.Token)
	}
	switch scheme {
	case V1:
		signature, err := signV1(r, target, cred, t.Format(http.TimeFormat), false)
		if err != nil {
			return err
		}
		r.Header.Set("Authorization", "OSS "+cred.ID+":"+signature)
	case V4:
		r.Header.Set(headerDate, t.Format(layoutV4))
		if r.Header.Get(headerSHA256) == "" {
			r.Header.Set(headerSHA256, unsignedPayload)
		}
		additional = sentHeaders(r, additional)
		signature, err := signV4(r, target, cred, region, t, additional, false)
		if err != nil {
			return err
		}
		var names string
		if len(additional) > 0 {
			names = "AdditionalHeaders=" + strings.Join(additional, ";") + ","
		}
		r.Header.Set("Authorization", fmt.Sprintf("%s Credential=%s,%sSignature=%s",
			algorithmV4, credential(cred, region, t), names, signature))
	default:
		return ErrNoScheme
	}
	return nil
}

// Presign signs r in its URL at time t. The URL is valid for expires. A request
// with the URL must have r's method and signed headers: Content-Type, Content-MD5,
// the x-oss- headers and, under V4, the additional ones.
func Presign(r *http.Request, target Target, cred Credentials, region string, scheme Scheme, t time.Time, expires time.Duration, additional ...string) error {
	if cred.ID == "" || cred.Secret == "" {
		return ErrNoCredentials
	}
	if expires < time.Second || scheme == V4 && expires > MaxExpires {
		return fmt.Errorf("signature: a URL cannot be valid for %v", expires)
	}
	t = t.UTC()
	switch scheme {
	case V1:
		stamp := strconv.FormatInt(t.Add(expires).Unix(), 10)
		if cred.Token != "" {
			addParam(r, paramTokenV1, cred.Token)
		}
		signature, err := signV1(r, target, cred, stamp, true)
		if err != nil {
			return err
		}
		addParam(r, paramExpiresV1, stamp)
		addParam(r, paramKeyV1, cred.ID)
		addParam(r, paramSignatureV1, signature)
	case V4:
		addParam(r, paramVersion, algorithmV4)
		addParam(r, paramCredential, credential(cred, region, t))
		addParam(r, paramDate, t.Format(layoutV4))
		addParam(r, paramExpires, strconv.FormatInt(int64(expires/time.Second), 10))
		if additional = sentHeaders(r, additional); len(additional) > 0 {
			addParam(r, paramAdditional, strings.Join(additional, ";"))
		}
		if cred.Token != "" {
			addParam(r, paramToken, cred.Token)
		}
		signature, err := signV4(r, target, cred, region, t, additional, true)
		if err != nil {
			return err
		}
		addParam(r, paramSignature, signature)
	default:
		return ErrNoScheme
	}
	return nil
}

func signV1(r *http.Request, target Target, cred Credentials, stamp string, presigned bool) (string, error) {
	c := newCanon()
	defer c.free()
	c.readHeaders(r, false, nil)
	if !c.readV1(r, false, presigned) {
		return "", errQueryEncoding
	}
	signature := signatureV1(hmac.New(sha1.New, []byte(cred.Secret)), c.stringToSignV1(r, target, stamp))
	return string(signature[:]), nil
}

func signV4(r *http.Request, target Target, cred Credentials, region string, t time.Time, additional []string, presigned bool) (string, error) {
	c := newCanon()
	defer c.free()
	if !c.readV4(r, additional, presigned) {
		return "", errQueryEncoding
	}
	day := t.Format(layoutDay)
	key, known := signingKeys.derive(cred.Secret, day, region, product)
	if !known {
		signingKeys.remember(cred.Secret, day, region, product, key)
	}
	text := c.stringToSignV4(c.canonicalV4(r, target, additional), t.Format(layoutV4), day, region, product)
	signature := signatureV4(&key, c.out[text.from:text.to])
	return string(signature[:]), nil
}

var errQueryEncoding = errors.New("signature: the query string is not properly encoded")

func credential(cred Credentials, region string, t time.Time) string {
	return cred.ID + "/" + t.Format(layoutDay) + "/" + region + "/" + product + "/" + terminator
}

func addParam(r *http.Request, name, value string) {
	q := make([]byte, 0, len(r.URL.RawQuery)+len(name)+3*len(value)+2)
	if q = append(q, r.URL.RawQuery...); len(q) > 0 {
		q = append(q, '&')
	}
	q = append(append(q, name...), '=')
	r.URL.RawQuery = string(appendEncoded(q, value, false))
}

// sentHeaders returns those names of additional that r has and V4 does not sign
// anyway, in lower case and sorted.
func sentHeaders(r *http.Request, additional []string) []string {
	names := splitNames(strings.Join(additional, ";"))
	return slices.DeleteFunc(names, func(n string) bool {
		return strings.HasPrefix(n, "x-oss-") || n == "content-type" || n == "content-md5" ||
			r.Header.Get(n) == "" && movedHeader(r, n) == ""
	})
}
