package signature

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/subtle"
	"encoding/base64"
	"hash"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// signedV1 are the parameters that V1 signs, besides those that start with
// x-oss-: the union of the lists of all SDKs.
var signedV1 = func() map[string]bool {
	m := make(map[string]bool)
	for name := range strings.FieldsSeq(`
acl append asyncFetch accessPoint accessPointPolicy accessPointConfigForObjectProcess accessPointForObjectProcess
accessPointPolicyForObjectProcess bucketArchiveDirectRead bucketInfo callback callback-var cleanRestoredObject cloudboxes
cname comp continuation-token cors dataPipeline delete encryption endTime group httpsConfig img inventory inventoryId
legalHold lifecycle link live location logging metaQuery objectInfo objectMeta objectWorm overwriteConfig partNumber policy
policyStatus position publicAccessBlock qos qosInfo qosRequester redundancyTransition referer regionList replication
replicationLocation replicationProgress requesterQosInfo requestPayment resourceGroup resourcePool resourcePoolBuckets
resourcePoolInfo response-cache-control response-content-disposition response-content-encoding response-content-language
response-content-type response-expires responseHeader restore retention rtc seal security-token sequential startTime stat
status style styleName symlink tagging transferAcceleration udf udfApplication udfApplicationLog udfId udfImage udfImageDesc
udfName uploadId uploads userDefinedLogFieldsConfig versionId versioning versions vod website withHashContext worm wormExtend
wormId`) {
		m[name] = true
	}
	return m
}()

func isSignedV1(name []byte) bool {
	return signedV1[string(name)] || bytes.HasPrefix(name, []byte("x-oss-"))
}

// isAuthV1 reports whether a parameter is one of those that sign a V1 URL.
func isAuthV1(name []byte) bool {
	switch string(name) {
	case paramKeyV1, paramExpiresV1, paramSignatureV1:
		return true
	}
	return false
}

func (a *Auth) verifyV1(c *canon, r *http.Request, targets []Target, secret string, now time.Time) (Target, error) {
	c.readHeaders(r, false, nil)
	mac := hmac.New(sha1.New, []byte(secret))
	var failed error
	for _, all := range [...]bool{false, true} {
		listed := len(c.params)
		if !c.readV1(r, all, a.Presigned) {
			return Target{}, invalidArgument("query", r.URL.RawQuery, "The query string is not properly encoded.")
		}
		if all && len(c.params) == listed {
			break // all were in the list
		}
		for i, stamp := range a.stamps {
			if stamp == "" || !a.Presigned && !fresh(a.stampTimes[i], now) {
				continue
			}
			for _, target := range targets {
				text := c.stringToSignV1(r, target, stamp)
				want := signatureV1(mac, text)
				if subtle.ConstantTimeCompare(want[:], []byte(a.signature)) == 1 {
					if !a.Presigned {
						a.Time = a.stampTimes[i]
					}
					return target, nil
				}
				if failed == nil {
					failed = a.mismatch(string(text), "")
				}
			}
		}
	}
	if failed == nil { // no targets
		failed = a.mismatch("", "")
	}
	return Target{}, failed
}

// readV1 takes the parameters that V1 signs: those of the list or, if all is true,
// every parameter, for clients whose list is longer.
func (c *canon) readV1(r *http.Request, all, presigned bool) bool {
	c.params = c.params[:0]
	ok := c.readQuery(r.URL.RawQuery, false, func(name []byte) bool {
		return (all || isSignedV1(name)) && !(presigned && isAuthV1(name))
	})
	c.sortParams()
	return ok
}

// stringToSignV1 writes the string to sign into c.out.
func (c *canon) stringToSignV1(r *http.Request, target Target, stamp string) []byte {
	c.out = append(append(c.out[:0], r.Method...), '\n')
	c.out = append(append(c.out, r.Header.Get("Content-Md5")...), '\n')
	c.out = append(append(c.out, r.Header.Get("Content-Type")...), '\n')
	c.out = append(append(c.out, stamp...), '\n')
	c.appendHeaders()
	c.appendTarget(target, false)
	if len(c.params) > 0 {
		c.out = append(c.out, '?')
		c.appendParams()
	}
	return c.out
}

// signatureV1 returns the base64 of an HMAC-SHA1 of text; it resets mac first.
func signatureV1(mac hash.Hash, text []byte) (signature [28]byte) {
	var sum [sha1.Size]byte
	mac.Reset()
	mac.Write(text)
	base64.StdEncoding.Encode(signature[:], mac.Sum(sum[:0]))
	return signature
}

// parseHeaderV1 reads "<id>:<base64>". Of the dates that may have been signed, Date
// comes first; ali-oss sends x-oss-date and signs it instead of Date.
func parseHeaderV1(r *http.Request, rest string) (*Auth, error) {
	id, signature, ok := strings.Cut(rest, ":")
	if !ok || id == "" || len(id) > maxAccessKeyID || signature == "" {
		return nil, invalidArgument("Authorization", "", "The Authorization header is malformed.")
	}
	a := &Auth{Scheme: V1, AccessKeyID: id, signature: signature, SecurityToken: r.Header.Get(headerToken)}
	if a.SecurityToken == "" {
		a.SecurityToken = r.Header.Get(headerTokenV1)
	}
	n := 0
	for _, stamp := range [...]string{r.Header.Get("Date"), r.Header.Get(headerDate)} {
		if t, ok := parseTime(stamp); ok {
			a.stamps[n], a.stampTimes[n] = stamp, t
			n++
		}
	}
	if n == 0 {
		return nil, noDate()
	}
	a.Time = a.stampTimes[0]
	return a, nil
}

// parseV1 reads a V1 URL.
func (q *queryAuth) parseV1() (*Auth, error) {
	id, expires, signature := q.get(paramKeyV1), q.get(paramExpiresV1), q.get(paramSignatureV1)
	if id == "" || expires == "" || signature == "" {
		return nil, &Error{Code: AccessDenied, Message: "Query string authentication requires the Signature, Expires and OSSAccessKeyId parameters."}
	}
	if len(id) > maxAccessKeyID {
		return nil, invalidArgument(paramKeyV1, id, "The access key id is too long.")
	}
	seconds, err := strconv.ParseInt(expires, 10, 64)
	if err != nil || seconds < 0 || seconds > maxUnix {
		return nil, &Error{Code: AccessDenied, EC: "0002-00000070", Message: "Invalid date (should be seconds since epoch)."}
	}
	return &Auth{
		Scheme: V1, Presigned: true, AccessKeyID: id, SecurityToken: q.get(paramTokenV1),
		Expires: time.Unix(seconds, 0).UTC(), signature: signature, stamps: [2]string{expires},
	}, nil
}
