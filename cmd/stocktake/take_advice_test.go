package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/foreign"
	bucketclient "github.com/stocktake/stocktake/internal/remote"
	"github.com/stocktake/stocktake/internal/take/places"
)

// adviceOn returns the error of a take from a bucket of a server, and the advice.
func adviceOn(t *testing.T, kind foreign.Kind, endpoint string) (string, string) {
	t.Helper()
	store, err := foreign.Open(foreign.Settings{
		Name: "store", Kind: kind, Endpoint: endpoint, Region: "us-east-1", Credentials: foreign.Chain(), Buckets: []string{"photos"},
	}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	_, err = store.Default().Source().Snapshot(t.Context(), "photos")
	if err == nil {
		t.Fatal("the listing began")
	}
	return err.Error(), takeAdvice(err, &places.Place{Store: store}, nil)
}

// Without an access key the error says so, and where to put one.
func TestTakeAdviceWithoutKey(t *testing.T) {
	t.Setenv("HOME", t.TempDir())
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	for _, name := range []string{
		"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE",
		"AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI",
	} {
		t.Setenv(name, "")
	}
	s := httptest.NewServer(http.NotFoundHandler())
	defer s.Close()
	text, advice := adviceOn(t, foreign.S3, s.URL)
	if !strings.Contains(text, "no access key: ") || strings.Contains(text, "StatusCode") || !strings.Contains(advice, "AWS_ACCESS_KEY_ID") {
		t.Errorf("%s%s", text, advice)
	}
}

// A service that names another region is told from one that refuses the key.
func TestTakeAdviceOnRegions(t *testing.T) {
	for _, c := range []struct {
		kind          foreign.Kind
		status        int
		code, message string
	}{
		{foreign.S3, http.StatusBadRequest, "AuthorizationHeaderMalformed", "The authorization header is malformed; the region 'us-east-1' is wrong; expecting 'eu-west-1'"},
		{foreign.S3, http.StatusMovedPermanently, "PermanentRedirect", "The bucket you are attempting to access must be addressed using the specified endpoint. Please send all future requests to this endpoint."},
		{foreign.OSS, http.StatusForbidden, "AccessDenied", "The bucket you are attempting to access must be addressed using the specified endpoint. Please send all future requests to this endpoint."},
		{foreign.OSS, http.StatusBadRequest, "InvalidArgument", "Invalid signing region in Authorization header."},
	} {
		for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "OSS_ACCESS_KEY_ID", "OSS_ACCESS_KEY_SECRET"} {
			t.Setenv(name, "a")
		}
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/xml")
			w.WriteHeader(c.status)
			fmt.Fprintf(w, "<Error><Code>%s</Code><Message>%s</Message></Error>", c.code, c.message)
		}))
		text, advice := adviceOn(t, c.kind, s.URL)
		s.Close()
		if !strings.Contains(advice, "--region") || strings.Contains(text, "lack the right") {
			t.Errorf("%s of %s: %s%s", c.code, c.kind, text, advice)
		}
	}
}

// A store whose certificate is not known is told from one that cannot be reached.
func TestTakeAdviceOnCertificates(t *testing.T) {
	s := httptest.NewTLSServer(http.NotFoundHandler())
	defer s.Close()
	t.Setenv("AWS_ACCESS_KEY_ID", "a")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "b")
	store, err := foreign.Open(foreign.Settings{
		Name: "s3", Kind: foreign.S3, Endpoint: s.URL, Region: "us-east-1", Credentials: foreign.Chain(), Buckets: []string{"photos"},
	}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	_, err = store.Default().Source().Snapshot(t.Context(), "photos")
	if got := takeAdvice(err, &places.Place{Store: store}, nil); !strings.Contains(got, "--ca-file") {
		t.Errorf("%v%s", err, got)
	}
}

// If the destination has a store of its own, the advice names its flags and its
// keys, since an error does not say which of the two failed.
func TestTakeAdviceOnDestinations(t *testing.T) {
	open := func(kind foreign.Kind, endpoint string) *places.Place {
		store, err := foreign.Open(foreign.Settings{
			Name: string(kind), Kind: kind, Endpoint: endpoint, Region: "us-east-1", Credentials: foreign.Chain(), Buckets: []string{"photos"},
		}, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		return &places.Place{Store: store}
	}
	src, dst := open(foreign.OSS, "http://127.0.0.1:9000"), open(foreign.S3, "http://127.0.0.1:9001")
	for _, c := range []struct {
		err  error
		want []string
	}{
		{&bucketclient.CredentialsError{Err: errors.New("none")}, []string{"OSS_ACCESS_KEY_ID", "AWS_ACCESS_KEY_ID", "--to-profile"}},
		{&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}, []string{"9000", "9001", "--endpoint", "--to-endpoint"}},
		{stocktake.ErrNoSuchBucket, []string{"9000", "9001", "--endpoint", "--to-endpoint"}},
		{&bucketclient.Error{Status: http.StatusForbidden, Err: stocktake.ErrAccessDenied}, []string{"OSS_ACCESS_KEY_ID", "9000", "AWS_ACCESS_KEY_ID", "9001"}},
	} {
		advice := takeAdvice(c.err, src, dst)
		for _, want := range c.want {
			if !strings.Contains(advice, want) {
				t.Errorf("%v: %q is not in %q", c.err, want, advice)
			}
		}
		if advice := takeAdvice(c.err, src, src); advice == "" || strings.Contains(advice, "--to-") {
			t.Errorf("%v in one store: %q", c.err, advice)
		}
	}
}
