package ossapi_test

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/stocktake/stocktake/internal/ossapi"
	"github.com/stocktake/stocktake/internal/outbound"
)

func callback(fields map[string]any) string {
	b, err := json.Marshal(fields)
	if err != nil {
		panic(err)
	}
	return base64.StdEncoding.EncodeToString(b)
}

func TestCallback(t *testing.T) {
	w := newWorld(t, func(c *ossapi.Config) { c.Callbacks = outbound.Public(netip.MustParsePrefix("127.0.0.0/8")) })
	w.bucket(t, "photos")
	var got, contentType, host string
	answer := func(w http.ResponseWriter) { io.WriteString(w, `{"Status":"OK"}`) }
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got, contentType, host = r.Method+" "+string(body), r.Header.Get("Content-Type"), r.Host
		answer(w)
	}))
	defer app.Close()
	put := func(spec map[string]any, vars string) message {
		header := map[string]string{"X-Oss-Callback": callback(spec), "Content-Type": "image/cat"}
		if vars != "" {
			header["X-Oss-Callback-Var"] = base64.StdEncoding.EncodeToString([]byte(vars))
		}
		return w.do(t, "PUT", "/photos/a%20cat", "meow", header)
	}

	m := w.must(t, put(map[string]any{
		"callbackUrl": app.URL, "callbackHost": "app.example",
		"callbackBody": "o=${object}&s=${size}&m=${mimeType}&b=${bucket}&e=${etag}&v=${x:a}&none=${x:b}${unknown}&open=${",
	}, `{"x:a":"1&2"}`), 200)
	if m.body != `{"Status":"OK"}` || m.header.Get("Content-Type") != "application/json" || m.header.Get("Etag") == "" {
		t.Errorf("%+v", m)
	}
	if want := "POST o=a+cat&s=4&m=image%2Fcat&b=photos&e=4A4BE40C96AC6314E91D93F38043A634&v=1%262&none=&open=${"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if contentType != "application/x-www-form-urlencoded" || host != "app.example" {
		t.Errorf("%s %s", contentType, host)
	}
	w.must(t, put(map[string]any{
		"callbackUrl": app.URL, "callbackBodyType": "application/json",
		"callbackBody": `{"o":${object},"q":"${object}","s":${size},"v":${x:a}}`,
	}, `{"x:a":"\"<"}`), 200)
	if want := `POST {"o":"a cat","q":"a cat","s":4,"v":"\"\u003c"}`; got != want {
		t.Errorf("%s, want %s", got, want)
	}

	// The callback fails: the object exists, and the answer says what happened.
	for _, tt := range []struct {
		answer  func(http.ResponseWriter)
		message string
	}{
		{func(w http.ResponseWriter) { w.Header().Set("Location", "/"); w.WriteHeader(301) }, "Error status : 301."},
		{func(w http.ResponseWriter) { w.WriteHeader(500) }, "Error status : 500."},
		{func(w http.ResponseWriter) { io.WriteString(w, "OK") }, "Response body is not valid json format."},
		{func(w http.ResponseWriter) { io.WriteString(w, `"`+strings.Repeat("a", 1<<20)+`"`) }, "Response body is too large or was cut off."},
	} {
		answer = tt.answer
		m := put(map[string]any{"callbackUrl": app.URL, "callbackBody": "x"}, "")
		if p := w.refused(t, m, 203, "CallbackFailed"); p.EC != "0007-00000203" || p.Message != tt.message {
			t.Errorf("%+v, want %s", p, tt.message)
		}
	}
	w.must(t, w.do(t, "GET", "/photos/a%20cat", "", nil), 200)

	// The first address does not answer, the second does.
	answer = func(w http.ResponseWriter) { io.WriteString(w, `{}`) }
	dead := httptest.NewServer(nil)
	dead.Close()
	w.must(t, put(map[string]any{"callbackUrl": dead.URL + ";" + app.URL, "callbackBody": "x"}, ""), 200)
	p := w.refused(t, put(map[string]any{"callbackUrl": dead.URL, "callbackBody": "x"}, ""), 203, "CallbackFailed")
	if !strings.HasPrefix(p.Message, "Error status : -1.") {
		t.Errorf("%+v", p)
	}

	// A short body that expands to a long one is not sent.
	m = put(map[string]any{"callbackUrl": app.URL, "callbackBody": strings.Repeat("${x:a}", 1300)}, `{"x:a":"`+strings.Repeat("<", 8000)+`"}`)
	if p := w.refused(t, m, 203, "CallbackFailed"); p.Message != "callbackBody is too large with its variables." {
		t.Errorf("%+v", p)
	}

	// An invalid callback is rejected before anything is stored.
	for _, header := range []map[string]string{
		{"X-Oss-Callback": "no base64"},
		{"X-Oss-Callback": base64.StdEncoding.EncodeToString([]byte("no json"))},
		{"X-Oss-Callback": callback(map[string]any{"callbackBody": "x"})},
		{"X-Oss-Callback": callback(map[string]any{"callbackUrl": app.URL})},
		{"X-Oss-Callback": callback(map[string]any{"callbackUrl": "file:///etc/passwd", "callbackBody": "x"})},
		{"X-Oss-Callback": callback(map[string]any{"callbackUrl": strings.Repeat(app.URL+";", 6), "callbackBody": "x"})},
		{"X-Oss-Callback": callback(map[string]any{"callbackUrl": app.URL, "callbackBody": "x", "callbackBodyType": "text/plain"})},
		{"X-Oss-Callback": callback(map[string]any{"callbackUrl": app.URL, "callbackBody": "x"}), "X-Oss-Callback-Var": "!"},
	} {
		w.refused(t, w.do(t, "PUT", "/photos/none", "meow", header), 400, "InvalidArgument")
	}
	w.gone(t, "/photos/none")
}

// TestCallbackStaysOutside holds that a callback reaches no address inside the
// machine or its network unless the server's settings name it, and that the client
// cannot distinguish such an address from one that does not answer.
func TestCallbackStaysOutside(t *testing.T) {
	w := newWorld(t, func(c *ossapi.Config) { c.Callbacks = outbound.Public() })
	w.bucket(t, "photos")
	reached := false
	app := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached = true }))
	defer app.Close()
	for _, url := range []string{
		app.URL, strings.Replace(app.URL, "127.0.0.1", "localhost", 1), strings.Replace(app.URL, "127.0.0.1", "[::ffff:127.0.0.1]", 1),
		"http://169.254.169.254/", "http://10.0.0.1/", "http://[fe80::1]/",
	} {
		m := w.do(t, "PUT", "/photos/cat", "meow", map[string]string{"X-Oss-Callback": callback(map[string]any{"callbackUrl": url, "callbackBody": "x"})})
		if p := w.refused(t, m, 203, "CallbackFailed"); p.Message != "Error status : -1.OSS can not connect to your callbackUrl, please check it." {
			t.Errorf("%s: %+v", url, p)
		}
	}
	if reached {
		t.Error("the callback reached the machine itself")
	}
	if !strings.Contains(w.log.String(), "callback=169.254.169.254") {
		t.Errorf("the log does not say why:\n%s", w.log)
	}
}
