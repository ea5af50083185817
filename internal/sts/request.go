package sts

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/ram"
)

// Bounds on requests before authentication. The longest legitimate call has a token
// of 8 KiB and a policy of 2 KiB; each byte may be encoded as three.
const (
	maxForm       = 48 << 10
	maxParameters = 64
	bodyTimeout   = 10 * time.Second
)

// parameters returns the parameters of the URL and of the form. They are never nil.
func parameters(w http.ResponseWriter, r *http.Request) (url.Values, error) {
	p := url.Values{}
	switch {
	case r.Method != http.MethodGet && r.Method != http.MethodPost:
		return p, errMethod
	case r.URL.Path != "/" && r.URL.Path != "":
		return p, errPath
	case len(r.URL.RawQuery) > maxForm:
		return p, errTooLarge
	}
	err := add(p, r.URL.RawQuery)
	if err == nil && r.Method == http.MethodPost && hasForm(r) {
		err = addForm(p, w, r)
	}
	if err == nil && len(p) > maxParameters {
		err = errTooLarge
	}
	return p, err
}

// add puts the parameters of a query or form into p.
func add(p url.Values, encoded string) error {
	if strings.Count(encoded, "&") > 2*maxParameters {
		return errTooLarge
	}
	q, err := url.ParseQuery(encoded)
	if err != nil {
		return errForm
	}
	for name, values := range q {
		p[name] = append(p[name], values...)
	}
	return nil
}

func addForm(p url.Values, w http.ResponseWriter, r *http.Request) error {
	if r.ContentLength > maxForm {
		return errTooLarge
	}
	// Neither a slow body nor the rest of a rejected one may hold the connection.
	// net/http removes the deadline after the request. Writers in tests have neither
	// deadline nor connection.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyTimeout))
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxForm))
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return errTooLarge
	} else if err != nil {
		return errForm
	}
	return add(p, string(body))
}

// parseAssumeRole reads the parameters of the call.
func parseAssumeRole(p url.Values) (ask ram.AssumeRole, err error) {
	for _, name := range [...]string{"RoleArn", "RoleSessionName"} {
		if p.Get(name) == "" {
			return ask, errMissing(name)
		}
	}
	ask.RoleARN, ask.SessionName = p.Get("RoleArn"), p.Get("RoleSessionName")
	if _, _, ok := stocktake.ParseRoleARN(ask.RoleARN); !ok {
		return ask, errRoleARN
	}
	if v := p.Get("DurationSeconds"); v != "" {
		n, err := strconv.ParseInt(v, 10, 32)
		if err != nil || n <= 0 {
			return ask, errDuration
		}
		ask.Duration = time.Duration(n) * time.Second
	}
	if v := p.Get("Policy"); v != "" {
		if len(v) > ram.MaxSessionPolicy {
			return ask, errPolicyLen
		}
		ask.Policy = []byte(v)
	}
	return ask, nil
}
