package ossapi

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/ossapi/request"
	"github.com/stocktake/stocktake/internal/outbound"
)

// Bounds of callbacks. The description comes in a header.
//
// Source: OSS developer guide, "Callback": 5 s, at most 5 URLs, an answer of
// at most 1 MB.
const (
	callbackTimeout   = 5 * time.Second
	maxCallbackURLs   = 5
	maxCallback       = 8 << 10
	maxCallbackAnswer = 1 << 20
	maxCallbackBody   = 1 << 20 // our own limit: a variable may occur many times
)

// A callback is a request that the server sends for a client after the object is
// stored.
type callback struct {
	urls     []string
	host     string // Host header; empty: that of the URL
	body     string // with ${variables}
	bodyType string
	vars     map[string]string // x:name to value
}

// readCallback reads x-oss-callback and x-oss-callback-var. If the server sends no
// callbacks, it returns an error before anything is stored.
func (c *call) readCallback() (*callback, error) {
	const name = "x-oss-callback"
	raw := cmp.Or(c.r.Header.Get("X-Oss-Callback"), c.query.Get("callback"))
	if c.Callbacks == nil {
		return nil, request.ErrNotImplemented
	}
	var spec struct {
		CallbackURL      string `json:"callbackUrl"`
		CallbackHost     string `json:"callbackHost"`
		CallbackBody     string `json:"callbackBody"`
		CallbackBodyType string `json:"callbackBodyType"`
	}
	if err := decodeCallback(raw, &spec); err != nil {
		return nil, request.InvalidArgument(name, raw, "base64 of a JSON object is expected")
	}
	b := &callback{host: spec.CallbackHost, body: spec.CallbackBody}
	b.bodyType = cmp.Or(spec.CallbackBodyType, "application/x-www-form-urlencoded")
	switch {
	case b.bodyType != "application/x-www-form-urlencoded" && b.bodyType != "application/json":
		return nil, request.InvalidArgument(name, b.bodyType, "callbackBodyType is neither of a form nor JSON")
	case b.body == "":
		return nil, request.InvalidArgument(name, "", "callbackBody is missing")
	}
	b.urls = strings.Split(spec.CallbackURL, ";")
	if len(b.urls) > maxCallbackURLs {
		return nil, request.InvalidArgument(name, "", "callbackUrl holds more than 5 URLs")
	}
	for i, s := range b.urls {
		if !strings.Contains(s, "://") { // clients omit the scheme
			s = "http://" + s
			b.urls[i] = s
		}
		if u, err := url.Parse(s); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			return nil, request.InvalidArgument(name, s, "callbackUrl is not a URL")
		}
	}
	if raw := cmp.Or(c.r.Header.Get("X-Oss-Callback-Var"), c.query.Get("callback-var")); raw != "" {
		if err := decodeCallback(raw, &b.vars); err != nil {
			return nil, request.InvalidArgument("x-oss-callback-var", raw, "base64 of a JSON object is expected")
		}
	}
	return b, nil
}

func decodeCallback(raw string, v any) error {
	data, err := base64.StdEncoding.DecodeString(raw)
	if err == nil && len(data) > maxCallback {
		err = fmt.Errorf("longer than %d bytes", maxCallback)
	}
	if err != nil {
		return err
	}
	return json.Unmarshal(data, v)
}

// fill inserts the values of an upload into the body. It escapes values in a form
// as in URLs. In JSON it quotes a text unless the variable is already between
// quotes. An unknown variable is empty. fill fails if the result has more than
// maxCallbackBody bytes.
func (b *callback) fill(value func(name string) (text string, number bool)) (string, error) {
	var out strings.Builder
	rest := b.body
	for {
		if out.Len() > maxCallbackBody {
			return "", callbackFailed("callbackBody is too large with its variables.")
		}
		before, after, found := strings.Cut(rest, "${")
		out.WriteString(before)
		name, tail, closed := strings.Cut(after, "}")
		if !found || !closed {
			if found {
				out.WriteString("${" + after)
			}
			return out.String(), nil
		}
		text, number := value(name)
		out.WriteString(b.encode(text, number, strings.HasSuffix(before, `"`)))
		rest = tail
	}
}

func (b *callback) encode(text string, number, quoted bool) string {
	if b.bodyType != "application/json" {
		return url.QueryEscape(text)
	}
	if number {
		return text
	}
	q, err := json.Marshal(text)
	if err != nil {
		return `""` // unreachable: every string can be encoded
	}
	if quoted {
		return string(q[1 : len(q)-1])
	}
	return string(q)
}

// sendCallback sends a callback and answers the upload with the response.
func (c *call) sendCallback(b *callback, info *object.Info) error {
	c.setWriteHeaders(info)
	body, err := b.fill(func(name string) (text string, number bool) { return c.callbackVar(b, info, name) })
	if err != nil {
		return err
	}
	for _, u := range b.urls {
		var answer []byte
		if answer, err = c.callbacks.send(c.ctx, u, b, body, c); err == nil {
			return c.document(http.StatusOK, "application/json", answer)
		}
	}
	return err
}

// callbackVar returns the value of a variable in a callback's body.
func (c *call) callbackVar(b *callback, info *object.Info, name string) (text string, number bool) {
	switch name {
	case "bucket":
		return c.at.Bucket, false
	case "object":
		return c.at.Key, false
	case "etag":
		return info.ETag.String(), false
	case "size":
		return strconv.FormatInt(info.Size, 10), true
	case "mimeType":
		return info.Headers.ContentType, false
	case "crc64":
		return strconv.FormatUint(info.CRC64, 10), false
	case "contentMd5":
		return base64.StdEncoding.EncodeToString(info.MD5), false
	case "clientIp":
		return c.sourceIP().String(), false
	case "reqId":
		return c.id, false
	case "operation":
		return c.op.Name, false
	}
	if strings.HasPrefix(name, "x:") {
		return b.vars[name], false
	}
	return "", false
}

// A caller sends callbacks. It uses no proxy, because a proxy could reach addresses
// that the rule forbids. It follows no redirect, because an untrusted server would
// choose the target.
type caller struct{ client http.Client }

func newCaller(allowed outbound.Rule) *caller {
	if allowed == nil {
		allowed = func(netip.Addr) bool { return false }
	}
	transport := outbound.Transport(allowed)
	transport.DisableKeepAlives = true // they go to many addresses
	return &caller{http.Client{
		Timeout:       callbackTimeout,
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// send makes one request. An error means that the callback failed.
func (s *caller) send(ctx context.Context, to string, b *callback, body string, c *call) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to, strings.NewReader(body))
	if err != nil {
		return nil, callbackFailed("Error status : -1.OSS can not connect to your callbackUrl, please check it.")
	}
	req.Host = cmp.Or(b.host, req.Host)
	req.Header.Set("Content-Type", b.bodyType)
	req.Header.Set("User-Agent", "aliyun-oss-callback")
	req.Header.Set("x-oss-bucket", c.at.Bucket)
	req.Header.Set("x-oss-request-id", c.id)
	res, err := s.client.Do(req)
	if err != nil {
		if refused, ok := errors.AsType[*outbound.AddressError](err); ok {
			c.Log.WarnContext(c.ctx, "a callback was not sent, since its address is in no network that callbacks may reach", c.attrs("callback", refused.Addr)...)
		}
		return nil, callbackFailed("Error status : -1.OSS can not connect to your callbackUrl, please check it.")
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, callbackFailed("Error status : " + strconv.Itoa(res.StatusCode) + ".")
	}
	var answer bytes.Buffer
	if n, err := answer.ReadFrom(io.LimitReader(res.Body, maxCallbackAnswer+1)); err != nil || n > maxCallbackAnswer {
		return nil, callbackFailed("Response body is too large or was cut off.")
	}
	if !json.Valid(answer.Bytes()) {
		return nil, callbackFailed("Response body is not valid json format.")
	}
	return answer.Bytes(), nil
}

func callbackFailed(text string) error { return &request.DetailError{Err: errCallback, Text: text} }

// set sets the value of a variable.
func (b *callback) set(name, value string) {
	if b.vars == nil {
		b.vars = make(map[string]string)
	}
	b.vars[name] = value
}
