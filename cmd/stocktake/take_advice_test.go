package main

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stocktake/stocktake/internal/foreign"
)

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
	if got := takeAdvice(err, &takePlace{store: store}, nil); !strings.Contains(got, "--ca-file") {
		t.Errorf("%v%s", err, got)
	}
}
