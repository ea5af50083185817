package client

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss"
)

// lateSender answers before it sends, as net/http does for a server that does.
type lateSender struct {
	err     error
	sending io.ReadCloser
}

func (l *lateSender) RoundTrip(r *http.Request) (*http.Response, error) {
	l.sending = r.Body
	if l.err != nil {
		return nil, l.err
	}
	return &http.Response{StatusCode: 503, Body: io.NopCloser(strings.NewReader("busy")), Request: r}, nil
}

// An attempt whose answer has been read takes nothing from the next one.
func TestRepeatedRequestsSendTheWholeBody(t *testing.T) {
	for name, tt := range map[string]struct {
		err  error
		done func(*http.Response)
	}{
		"closed": {nil, func(r *http.Response) { _ = r.Body.Close() }},
		"read":   {nil, func(r *http.Response) { _, _ = io.ReadAll(r.Body) }},
		"failed": {errors.New("connection reset"), func(*http.Response) {}},
	} {
		t.Run(name, func(t *testing.T) {
			late := &lateSender{err: tt.err}
			shared := oss.TeeReadNopCloser(strings.NewReader("content"))
			r, err := http.NewRequest(http.MethodPut, "http://127.0.0.1/", shared)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := retriedBodyTransport{late}.RoundTrip(r)
			if !errors.Is(err, tt.err) {
				t.Fatal(err)
			}
			if tt.err == nil {
				if _, err := io.CopyN(io.Discard, late.sending, 3); err != nil {
					t.Errorf("before the answer was read: %v", err)
				}
			}
			tt.done(resp)
			if n, err := late.sending.Read(make([]byte, 9)); n != 0 || !errors.Is(err, errAnswered) {
				t.Errorf("%d bytes of the next attempt are read, %v", n, err)
			}
			if r.Body != shared {
				t.Error("the request has another body")
			}
		})
	}
}

// A body that cannot start over is not waited for: it may block for ever.
func TestBodiesSentOnceAreLeftAlone(t *testing.T) {
	late := &lateSender{}
	body := io.NopCloser(strings.NewReader("content"))
	r, err := http.NewRequest(http.MethodPut, "http://127.0.0.1/", body)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := retriedBodyTransport{late}.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if late.sending != body {
		t.Error("the body is wrapped")
	}
}
