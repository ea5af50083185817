package signature

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
)

// A FormAuth is the signature of the policy of a form upload (PostObject).
//
// Source: OSS API reference, PostObject, signature V1 and V4.
type FormAuth struct {
	Auth
	policy string // base64, which is what is signed
}

// ParseForm reads the fields of a form that sign its policy; field returns the
// value of a field by its lower-case name. It returns nil for a form that is not
// signed. The error is an *Error.
func ParseForm(field func(name string) string) (*FormAuth, error) {
	f := &FormAuth{policy: field("policy")}
	f.SecurityToken = field("x-oss-security-token")
	switch {
	case field("x-oss-signature-version") != "":
		if v := field("x-oss-signature-version"); v != "OSS4-HMAC-SHA256" {
			return nil, invalidArgument("x-oss-signature-version", v, "OSS4-HMAC-SHA256 is expected.")
		}
		f.Scheme, f.signature = V4, field("x-oss-signature")
		if err := f.parseCredential("x-oss-credential", field("x-oss-credential")); err != nil {
			return nil, err
		}
		stamp := field("x-oss-date")
		t, ok := parseTime(stamp)
		if !ok {
			return nil, invalidArgument("x-oss-date", stamp, "A date such as 20260105T160000Z is expected.")
		}
		if t.UTC().Format(layoutDay) != f.day {
			return nil, badDay("x-oss-credential", f.day)
		}
		f.Time = t
	case field("ossaccesskeyid") != "" || field("signature") != "":
		f.Scheme, f.AccessKeyID, f.signature = V1, field("ossaccesskeyid"), field("signature")
		if len(f.AccessKeyID) > maxAccessKeyID {
			return nil, invalidArgument("OSSAccessKeyId", f.AccessKeyID, "The access key id is too long.")
		}
	default:
		return nil, nil
	}
	for _, required := range [...][2]string{{"OSSAccessKeyId", f.AccessKeyID}, {"policy", f.policy}, {"Signature", f.signature}} {
		if required[1] == "" {
			return nil, invalidArgument(required[0], "", "Bucket POST must contain a field named '"+required[0]+"'.")
		}
	}
	return f, nil
}

// Verify checks the signature of the policy. It does not check the expiry, which is
// part of the policy. The error is an *Error.
func (f *FormAuth) Verify(secret string) error {
	var want string
	if f.Scheme == V4 {
		key, _ := signingKeys.derive(secret, f.day, f.Region, f.Product)
		mac := hmac.New(sha256.New, key[:])
		mac.Write([]byte(f.policy))
		want = hex.EncodeToString(mac.Sum(nil))
	} else {
		mac := hmac.New(sha1.New, []byte(secret))
		mac.Write([]byte(f.policy))
		want = base64.StdEncoding.EncodeToString(mac.Sum(nil))
	}
	if subtle.ConstantTimeCompare([]byte(want), []byte(f.signature)) != 1 {
		return f.mismatch(f.policy, "")
	}
	return nil
}
