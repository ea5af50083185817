package stocktake

import (
	"errors"
	"fmt"
)

// Conditions that a caller checks with errors.Is. Each becomes the OSS code of
// the same name; internal/ossapi has the table of statuses and messages.
var (
	ErrNoSuchBucket         = errors.New("the specified bucket does not exist")
	ErrNoSuchInventory      = errors.New("no such inventory configuration")
	ErrInventoryExists      = errors.New("the inventory configuration already exists")
	ErrInventoryExceedLimit = errors.New("inventory limit of the bucket reached") // MaxInventories
	ErrNoSuchRun            = errors.New("no such run")
	ErrIncrementalDisabled  = errors.New("incremental inventory is disabled")
	ErrAccessDenied         = errors.New("access denied")
)

// An IncrementalDisabledError says why a bucket has no incremental reports although the server
// makes them for others. It is [ErrIncrementalDisabled].
type IncrementalDisabledError struct {
	Reason string // for people
}

func (e *IncrementalDisabledError) Error() string {
	return ErrIncrementalDisabled.Error() + ": " + e.Reason
}

// Unwrap returns ErrIncrementalDisabled.
func (e *IncrementalDisabledError) Unwrap() error { return ErrIncrementalDisabled }

// InvalidArgumentError names the element of a request that is invalid. Replies,
// the command line and the console show its fields.
type InvalidArgumentError struct {
	Element string // path below InventoryConfiguration, such as "Filter/StorageClass", or the name of a query parameter
	Value   string // as received, at most 200 bytes of it
	EC      string // OSS diagnostic code, such as "0020-00000026"; empty where none is known
	Reason  string // what is wrong, or what would be accepted, in words; may be empty
}

func (e *InvalidArgumentError) Error() string {
	if e.Reason == "" {
		return fmt.Sprintf("The value of %s is invalid.", e.Element)
	}
	return fmt.Sprintf("The value of %s is invalid: %s.", e.Element, e.Reason)
}

// MalformedXMLError reports a document that is not well-formed or lacks a required node. OSS
// answers all of them with one message; Reason is for people.
type MalformedXMLError struct {
	EC     string // OSS diagnostic code, such as "0020-00000007"
	Reason string
}

func (e *MalformedXMLError) Error() string {
	return "malformed XML: " + e.Reason
}
