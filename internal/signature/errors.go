package signature

import "time"

// A Code is the OSS code of an error. internal/ossapi knows its status.
type Code string

// The codes of an [Error].
const (
	InvalidArgument       Code = "InvalidArgument"
	AccessDenied          Code = "AccessDenied"
	SignatureDoesNotMatch Code = "SignatureDoesNotMatch"
	RequestTimeTooSkewed  Code = "RequestTimeTooSkewed"
)

// An Error is the reason why a request is not accepted as authentic. It never
// holds a secret.
type Error struct {
	Code    Code
	Message string // the text OSS sends
	EC      string // OSS diagnostic code; empty where none is known

	// Argument is the header or parameter to correct, and Value at most the first 200
	// bytes of what it held. Both are set with InvalidArgument.
	Argument, Value string

	// Set with SignatureDoesNotMatch: what was received, and what the server signed
	// instead, so that the author of a client can compare. CanonicalRequest is set
	// for V4 only.
	AccessKeyID       string
	SignatureProvided string
	StringToSign      string
	CanonicalRequest  string

	// RequestTime and ServerTime are set if the time was the reason.
	RequestTime, ServerTime time.Time
}

func (e *Error) Error() string { return string(e.Code) + ": " + e.Message }

func invalidArgument(name, value, message string) error {
	return &Error{Code: InvalidArgument, Message: message, Argument: name, Value: value[:min(len(value), 200)]}
}

func tooSkewed(request, now time.Time) error {
	return &Error{
		Code:        RequestTimeTooSkewed,
		Message:     "The difference between the request time and the current time is too large.",
		EC:          "0002-00000504",
		RequestTime: request, ServerTime: now,
	}
}

func noDate() error {
	return &Error{Code: AccessDenied, Message: "OSS authentication requires a valid Date."}
}

func (a *Auth) mismatch(stringToSign, canonicalRequest string) error {
	return &Error{
		Code:              SignatureDoesNotMatch,
		Message:           "The request signature we calculated does not match the signature you provided. Check your key and signing method.",
		EC:                "0002-00000040",
		AccessKeyID:       a.AccessKeyID,
		SignatureProvided: a.signature,
		StringToSign:      stringToSign,
		CanonicalRequest:  canonicalRequest,
	}
}
