package main

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/client"
	"github.com/stocktake/stocktake/internal/ossxml"
	"github.com/stocktake/stocktake/internal/reportfolder"
	"github.com/stocktake/stocktake/internal/reportplace"
	"github.com/stocktake/stocktake/internal/take/places"
	"github.com/stocktake/stocktake/internal/transfer"
)

// inputCodes are the error codes of input that the service can never accept.
var inputCodes = map[string]bool{
	"InvalidArgument": true, "MissingArgument": true, "MalformedXML": true,
	"InvalidBucketName": true, "InvalidObjectName": true,
}

// argument returns the refused value, as the service repeats it.
func argument(err *oss.ServiceError) string {
	reply, parseErr := ossxml.Parse(err.Snapshot, "Error")
	if parseErr != nil || reply.Value("ArgumentValue") == "" {
		return ""
	}
	return fmt.Sprintf(" It was %q.", reply.Value("ArgumentValue"))
}

// explain adds the attempted action, and advice if the service refused or did not
// answer. Input that it refuses is a usageError.
func explain(err error, doing string) error {
	switch {
	case errors.Is(err, stocktake.ErrInventoryExists):
		return fmt.Errorf("%s: the configuration already exists: use --replace to change it", doing)
	case errors.Is(err, stocktake.ErrNoSuchInventory):
		return fmt.Errorf("%s: no such configuration", doing)
	case errors.Is(err, stocktake.ErrNoSuchBucket):
		return fmt.Errorf("%s: no such bucket", doing)
	case errors.Is(err, stocktake.ErrNoSuchRun):
		return fmt.Errorf("%s: it has no current run", doing)
	}
	if serr, ok := serviceError(err); ok {
		if strings.Contains(serr.Message, plainToTLS) {
			return fmt.Errorf("%s: the server expects TLS: use --endpoint https://HOST:PORT", doing)
		}
		if serr.Code == unreadableAnswer {
			return fmt.Errorf("%s: the answer is not one of OSS; is --endpoint right? status %d: %s", doing, serr.StatusCode, firstLine(serr.Snapshot))
		}
		err := fmt.Errorf("%s: %s: %s%s (status %d, request %s)", doing, serr.Code, serr.Message, argument(serr), serr.StatusCode, serr.RequestID)
		if inputCodes[serr.Code] {
			return usageError{err}
		}
		return err
	}
	if bad, ok := errors.AsType[oss.InvalidParamError](err); ok && strings.HasSuffix(bad.Field(), ".Bucket") {
		return usagef("%s: %w", doing, transfer.ErrBucketName)
	}
	if bad, ok := errors.AsType[*stocktake.InvalidArgumentError](err); ok {
		return usagef("%s: %w", doing, bad)
	}
	return unreachable(err, doing)
}

// away reports whether the server could not be reached or cannot answer now, so
// that a later attempt may succeed.
func away(err error) bool {
	if serr, ok := serviceError(err); ok {
		return serr.StatusCode >= http.StatusInternalServerError || serr.StatusCode == http.StatusTooManyRequests
	}
	if refused, ok := errors.AsType[*client.AdminError](err); ok {
		return refused.StatusCode >= http.StatusInternalServerError
	}
	_, unreachable := errors.AsType[*url.Error](err)
	return unreachable || errors.Is(err, io.ErrUnexpectedEOF)
}

// What Alibaba's SDK calls answers that it cannot read: an error that is not XML, and a result
// that is not.
const (
	unreadableAnswer = "BadErrorResponse"
	unreadableResult = "UnmarshalOutputFail"
)

// firstLine returns the beginning of an answer.
func firstLine(answer []byte) string {
	line, _, _ := strings.Cut(strings.TrimSpace(string(answer[:min(len(answer), 1000)])), "\n")
	return strings.TrimSpace(line)
}

// plainToTLS is net/http's answer to a request without TLS to a TLS listener.
const plainToTLS = "Client sent an HTTP request to an HTTPS server"

// unreachable returns advice for a request without an answer.
func unreachable(err error, doing string) error {
	if errors.Is(err, http.ErrSchemeMismatch) {
		return fmt.Errorf("%s: the server does not use TLS: use --endpoint http://HOST:PORT", doing)
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "dial" {
		return fmt.Errorf("%s: %w: is the server running (stocktake serve), and is --endpoint right?", doing, op)
	}
	if unknown, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return fmt.Errorf("%s: the server's certificate is not signed by a known authority: set SSL_CERT_FILE to its file (%w)", doing, unknown)
	}
	if bad, ok := errors.AsType[*oss.ClientError](err); ok && bad.Code == unreadableResult {
		return fmt.Errorf("%s: the answer is not one of OSS; is --endpoint right? (%w)", doing, bad.Err)
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// usageError is bad input: exit code 2.
type usageError struct{ err error }

func (e usageError) Error() string { return e.err.Error() }

func (e usageError) Unwrap() error { return e.err }

func usagef(format string, args ...any) error {
	return usageError{fmt.Errorf(format, args...)}
}

// isUsage reports whether an error is bad input: a usageError, or an address or path that
// cannot be right.
func isUsage(err error) bool {
	_, usage := errors.AsType[usageError](err)
	_, address := errors.AsType[*reportplace.ArgumentError](err)
	_, path := errors.AsType[*reportfolder.PathError](err)
	_, place := errors.AsType[*places.ArgumentError](err)
	return usage || address || path || place
}

// serviceError finds the answer of the OSS API in an error.
func serviceError(err error) (*oss.ServiceError, bool) {
	return errors.AsType[*oss.ServiceError](err)
}
