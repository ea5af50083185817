package main

import (
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/client"
)

// What keeps an answer away is said with what to correct.
func TestExplainNoAnswer(t *testing.T) {
	answer := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	plain, secure := httptest.NewServer(answer), httptest.NewUnstartedServer(answer)
	secure.Config.ErrorLog = log.New(io.Discard, "", 0) // it tells of the handshakes that are to fail
	secure.StartTLS()
	defer plain.Close()
	defer secure.Close()
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := gone.Close(); err != nil {
		t.Fatal(err)
	}
	for endpoint, want := range map[string]string{
		"http://" + gone.Addr().String():                "is the server on (stocktake serve)",
		strings.Replace(plain.URL, "http", "https", 1):  "write --endpoint http://",
		strings.Replace(secure.URL, "https", "http", 1): "write --endpoint https://",
		secure.URL: "SSL_CERT_FILE",
	} {
		oc, err := newOSSClient(endpoint, "cn-hangzhou", true, accessKey{ID: "id", Secret: "secret"})
		if err != nil {
			t.Fatal(err)
		}
		_, err = oc.GetBucketInfo(t.Context(), &oss.GetBucketInfoRequest{Bucket: oss.Ptr("photos")}, func(o *oss.Options) { o.RetryMaxAttempts = oss.Ptr(1) })
		if err = explain(err, "look"); !strings.HasPrefix(err.Error(), "look: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %q; want %q in it", endpoint, err, want)
		}
	}
}

// Input that no server need be asked about is the command line's fault.
func TestExplainInvalidArgument(t *testing.T) {
	oc, err := newOSSClient("http://127.0.0.1:1", "cn-hangzhou", true, accessKey{ID: "id", Secret: "secret"})
	if err != nil {
		t.Fatal(err)
	}
	cfg := demoConfiguration("1000000000000000")
	cfg.Schedule = stocktake.Schedule{Frequency: stocktake.Monthly, DayOfMonth: 32}
	err = explain(client.New(oc).Put(t.Context(), "photos", cfg), "put")
	if _, ok := errors.AsType[usageError](err); !ok {
		t.Errorf("%v is no usageError", err)
	}
}
