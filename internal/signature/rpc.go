package signature

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/subtle"
	"net/url"
	"slices"
	"time"
)

// Codes of the errors of an RPC call, besides SignatureDoesNotMatch.
//
// Source: Alibaba Cloud, common errors of RPC APIs.
const (
	MissingParameter      Code = "MissingParameter"
	UnsupportedSignature  Code = "InvalidParameter.SignatureMethod"
	InvalidTimestamp      Code = "InvalidTimeStamp.Format"
	InvalidTimestampStale Code = "InvalidTimeStamp.Expired"
)

const layoutRPC = "2006-01-02T15:04:05Z"

// An RPC is what a call of an RPC API, such as AssumeRole of STS, says about its
// sender. None of it is proved before Verify.
type RPC struct {
	AccessKeyID   string
	SecurityToken string
	Time          time.Time

	method    string
	params    url.Values
	signature string
}

// ParseRPC reads the parameters of an RPC call: those of the URL and those of
// the form together. The error is an *Error.
//
// Source: Alibaba Cloud, "Request signature" of RPC APIs, SignatureVersion 1.0.
func ParseRPC(method string, params url.Values) (*RPC, error) {
	for _, name := range [...]string{"AccessKeyId", "Signature", "SignatureMethod", "SignatureVersion", "SignatureNonce", "Timestamp"} {
		if params.Get(name) == "" {
			return nil, &Error{Code: MissingParameter, Message: "The parameter " + name + " is missing.", Argument: name}
		}
	}
	for name, values := range params {
		if len(values) > 1 {
			return nil, invalidArgument(bounded(name), "", "The parameter is given more than once.")
		}
	}
	if len(params.Get("AccessKeyId")) > maxAccessKeyID {
		return nil, invalidArgument("AccessKeyId", params.Get("AccessKeyId"), "The access key id is too long.")
	}
	if params.Get("SignatureMethod") != "HMAC-SHA1" || params.Get("SignatureVersion") != "1.0" {
		return nil, &Error{Code: UnsupportedSignature, Message: "Only HMAC-SHA1 of SignatureVersion 1.0 is supported.", Argument: "SignatureMethod", Value: bounded(params.Get("SignatureMethod"))}
	}
	t, err := time.Parse(layoutRPC, params.Get("Timestamp"))
	if err != nil {
		return nil, &Error{Code: InvalidTimestamp, Message: "Specified time stamp or date value is not well formatted.", Argument: "Timestamp", Value: bounded(params.Get("Timestamp"))}
	}
	return &RPC{
		AccessKeyID: params.Get("AccessKeyId"), SecurityToken: params.Get("SecurityToken"), Time: t,
		method: method, params: params, signature: params.Get("Signature"),
	}, nil
}

// Verify proves that the sender of the call knows secret and that the call is
// fresh at now. The nonce is not remembered: a call may be repeated within
// [MaxSkew].
func (c *RPC) Verify(secret string, now time.Time) error {
	if !fresh(c.Time, now) {
		return &Error{Code: InvalidTimestampStale, Message: "Specified time stamp or date value is expired.", RequestTime: c.Time, ServerTime: now}
	}
	text := stringToSignRPC(c.method, c.params)
	want := signatureV1(hmac.New(sha1.New, []byte(secret+"&")), text)
	if subtle.ConstantTimeCompare(want[:], []byte(c.signature)) != 1 {
		return &Error{
			Code: SignatureDoesNotMatch, Message: "Specified signature is not matched with our calculation.",
			AccessKeyID: c.AccessKeyID, SignatureProvided: c.signature, StringToSign: string(text),
		}
	}
	return nil
}

// SignRPC signs params for a call at time t with a nonce that the caller
// chooses: it sets the six parameters of the signature and SecurityToken.
func SignRPC(method string, params url.Values, cred Credentials, t time.Time, nonce string) {
	params.Set("AccessKeyId", cred.ID)
	params.Set("SignatureMethod", "HMAC-SHA1")
	params.Set("SignatureVersion", "1.0")
	params.Set("SignatureNonce", nonce)
	params.Set("Timestamp", t.UTC().Format(layoutRPC))
	params.Del("Signature")
	if cred.Token != "" {
		params.Set("SecurityToken", cred.Token)
	}
	signature := signatureV1(hmac.New(sha1.New, []byte(cred.Secret+"&")), stringToSignRPC(method, params))
	params.Set("Signature", string(signature[:]))
}

// stringToSignRPC is
//
//	<METHOD>&%2F&<encoded(name=value&..., sorted by name, all but Signature)>
func stringToSignRPC(method string, params url.Values) []byte {
	names := make([]string, 0, len(params))
	for name := range params {
		if name != "Signature" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	var query []byte
	for i, name := range names {
		if i > 0 {
			query = append(query, '&')
		}
		query = append(appendEncoded(query, name, false), '=')
		query = appendEncoded(query, params.Get(name), false)
	}
	return appendEncoded([]byte(method+"&%2F&"), query, false)
}
