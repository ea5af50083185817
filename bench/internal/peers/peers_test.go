package peers

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// The signature was computed by hand, step by step according to Amazon's reference.
func TestSignS3(t *testing.T) {
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet,
		"http://127.0.0.1:9000/b/a%20b/%E7%8C%AB?start-after=a/b+c&list-type=2", nil)
	if err != nil {
		t.Fatal(err)
	}
	signS3(r, time.Date(2026, time.November, 22, 1, 2, 3, 0, time.UTC))
	const want = "Signature=abe2438c9f0c457fea18a033c5fff43f43b9fecb769ffa1ccc38eb65e8a6420e"
	if got := r.Header.Get("Authorization"); !strings.HasSuffix(got, want) {
		t.Errorf("%s, want %s at its end", got, want)
	}
}

func TestNamed(t *testing.T) {
	got, err := Named("minio,stocktake")
	if err != nil || len(got) != 2 || got[0].Name != "minio" || got[1].Name != "stocktake" {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := Named("nobody"); err == nil {
		t.Error("no error for a peer that is not there")
	}
}
