package client

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss"

	"github.com/stocktake/stocktake"
)

// ErrNotSupported is returned by the methods about runs if the service is not
// Stocktake, or a version that lacks the action: OSS itself does not show its runs.
var ErrNotSupported = errors.New("the service does not offer this action: it is not Stocktake, or another version of it")

// conditions has the OSS codes that callers check for.
//
// Source: OSS API reference, PutBucketInventory, and the list of 409 errors,
// which spell the code of a configuration that exists differently.
var conditions = map[string]error{
	"NoSuchBucket":                        stocktake.ErrNoSuchBucket,
	"NoSuchInventory":                     stocktake.ErrNoSuchInventory,
	"NoSuchInventoryConfiguration":        stocktake.ErrNoSuchInventory,
	"InventoryConfigurationAlreadyExists": stocktake.ErrInventoryExists,
	"InventoryAlreadyExist":               stocktake.ErrInventoryExists,
	"InventoryExceedLimit":                stocktake.ErrInventoryExceedLimit,
	"NoSuchInventoryRun":                  stocktake.ErrNoSuchRun,
	"AccessDenied":                        stocktake.ErrAccessDenied,
}

// A CallError is a call that failed. Its text says what was tried and what the service
// answered. It wraps the error of the SDK, and the error of package stocktake for the
// condition, if there is one.
type CallError struct {
	action string
	cause  error
	is     error // a condition of package stocktake, or ErrNotSupported; may be nil
	reason string
}

// Error returns what was tried and why it failed.
func (e *CallError) Error() string { return e.action + ": " + e.reason }

// Unwrap returns the errors that e wraps.
func (e *CallError) Unwrap() []error {
	if e.is == nil {
		return []error{e.cause}
	}
	return []error{e.cause, e.is}
}

// explain returns a one-line error with the operation, the answer of the service and its condition.
func explain(doing string, err error) error {
	e := &CallError{action: doing, cause: err, reason: err.Error()}
	if serr, ok := errors.AsType[*oss.ServiceError](err); ok {
		e.is = conditions[serr.Code]
		if serr.Code == "AccessDenied" && strings.HasPrefix(serr.Message, "Incremental Inventory is disabled") {
			e.is = stocktake.ErrIncrementalDisabled
		}
		e.reason = fmt.Sprintf("%s: %s (status %d, request id %s", serr.Code, serr.Message, serr.StatusCode, serr.RequestID)
		if serr.EC != "" {
			e.reason += ", EC " + serr.EC
		}
		e.reason += ")"
	}
	return e
}

// orNotSupported returns ErrNotSupported if the service lacks the extensions: it
// then does not know the method, or takes the request for an upload by form. Any
// other err is returned as it is.
func orNotSupported(err error) error {
	serr, ok := errors.AsType[*oss.ServiceError](err)
	if !ok {
		return err
	}
	e, ok := errors.AsType[*CallError](err)
	if !ok {
		return err
	}
	lacks := serr.StatusCode == http.StatusMethodNotAllowed || serr.StatusCode == http.StatusNotImplemented
	switch serr.Code {
	case "MethodNotAllowed", "NotImplemented", "MalformedPOSTRequest":
		lacks = true
	}
	if !lacks {
		return err
	}
	return &CallError{action: e.action, cause: e.cause, is: ErrNotSupported, reason: ErrNotSupported.Error() + " (" + e.reason + ")"}
}
