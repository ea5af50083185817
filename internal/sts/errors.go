package sts

import (
	"errors"
	"net/http"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/ram"
	"github.com/stocktake/stocktake/internal/signature"
)

// A callError is STS's refusal of a call.
type callError struct {
	status        int
	code, message string
}

func (e *callError) Error() string { return e.code + ": " + e.message }

// Errors of a call that do not depend on its sender.
//
// Source: Alibaba Cloud, common errors of RPC APIs; STS API reference,
// AssumeRole, error codes; "STS common problems".
var (
	errMethod    = &callError{http.StatusMethodNotAllowed, "UnsupportedHTTPMethod", "This http method is not supported."}
	errPath      = &callError{http.StatusNotFound, "InvalidAction.NotFound", "Specified api is not found, please check your url and method."}
	errVersion   = &callError{http.StatusBadRequest, "InvalidVersion", "Specified parameter Version is not valid."}
	errFormat    = &callError{http.StatusBadRequest, "InvalidParameter.Format", "The parameter Format is neither JSON nor XML."}
	errForm      = &callError{http.StatusBadRequest, "InvalidParameter", "The parameters are not well formed."}
	errTooLarge  = &callError{http.StatusRequestEntityTooLarge, "InvalidParameter", "The parameters are too long."}
	errNonceUsed = &callError{http.StatusBadRequest, "SignatureNonceUsed", "Specified signature nonce was used already."}
	errThrottled = &callError{http.StatusTooManyRequests, "Throttling.User", "Request was denied due to user flow control."}
	errRoleARN   = &callError{http.StatusBadRequest, "InvalidParameter.RoleArn", "The parameter RoleArn is wrongly formed."}
	errSession   = &callError{http.StatusBadRequest, "InvalidParameter.RoleSessionName", "The parameter RoleSessionName is wrongly formed."}
	errDuration  = &callError{http.StatusBadRequest, "InvalidParameter.DurationSeconds", "The Min/Max value of DurationSeconds is 15min and the MaxSessionDuration of the role."}
	errPolicy    = &callError{http.StatusBadRequest, "InvalidParameter.PolicyGrammar", "The parameter Policy has not passed grammar check."}
	errPolicyLen = &callError{http.StatusBadRequest, "InvalidParameter.PolicySize", "The size of Policy must be smaller than 2048 bytes."}
	errNoRole    = &callError{http.StatusNotFound, "EntityNotExist.Role", "The specified Role not exists."}
	errInternal  = &callError{http.StatusInternalServerError, "InternalError", "The request processing has failed due to some unknown error."}

	errNoPermission = &callError{http.StatusForbidden, "NoPermission", "No permission perform sts:AssumeRole on this Role. Maybe you are not authorized to perform sts:AssumeRole or the specified role does not trust you"}
)

// errMissing returns the answer to a call that lacks a parameter.
func errMissing(parameter string) *callError {
	return &callError{http.StatusBadRequest, "Missing" + parameter, parameter + " is mandatory for this action."}
}

// keyErrors are the answers to errors of Access.Key.
var keyErrors = []struct {
	err    error
	answer *callError
}{
	{ram.ErrNoSuchAccessKey, &callError{http.StatusNotFound, "InvalidAccessKeyId.NotFound", "Specified access key is not found."}},
	{ram.ErrKeyDisabled, &callError{http.StatusForbidden, "InvalidAccessKeyId.Inactive", "Specified access key is disabled."}},
	{ram.ErrTokenRequired, errMissing("SecurityToken")},
	{ram.ErrTokenInvalid, &callError{http.StatusBadRequest, "InvalidSecurityToken.Malformed", "Specified SecurityToken is malformed."}},
	{object.ErrUnavailable, &callError{http.StatusServiceUnavailable, "ServiceUnavailable", "The request has failed due to a temporary failure of the server."}},
	{ram.ErrTokenExpired, &callError{http.StatusBadRequest, "InvalidSecurityToken.Expired", "Specified SecurityToken is expired."}},
}

// replyTo returns the reply to err. It is the only function that maps errors of
// other packages to those of STS.
func replyTo(err error) *callError {
	if e, ok := errors.AsType[*callError](err); ok {
		return e
	}
	if e, ok := errors.AsType[*signature.Error](err); ok {
		return signatureError(e)
	}
	for _, k := range keyErrors {
		if errors.Is(err, k.err) {
			return k.answer
		}
	}
	_, policy := errors.AsType[*ram.PolicyError](err)
	switch {
	case policy:
		return errPolicy
	case errors.Is(err, ram.ErrNoSuchRole):
		return errNoRole
	case errors.Is(err, ram.ErrNotTrusted), errors.Is(err, stocktake.ErrAccessDenied):
		return errNoPermission
	case errors.Is(err, ram.ErrDuration):
		return errDuration
	case errors.Is(err, ram.ErrInvalidName):
		return errSession // the role's name was checked before
	}
	return errInternal
}

func signatureError(e *signature.Error) *callError {
	switch e.Code {
	case signature.MissingParameter:
		return errMissing(e.Argument)
	case signature.SignatureDoesNotMatch:
		// The string to sign was built from the caller's own request.
		return &callError{http.StatusBadRequest, string(e.Code), e.Message + " server string to sign is:" + e.StringToSign}
	case signature.InvalidArgument:
		return &callError{http.StatusBadRequest, "InvalidParameter", e.Message}
	}
	return &callError{http.StatusBadRequest, string(e.Code), e.Message}
}
