package foreign_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/foreign"
)

// A store that rejects encryption, or only pretends to encrypt, is detected, with
// one check. A store that does not let the role write is assumed to encrypt.
func TestEncrypts(t *testing.T) {
	t.Setenv("LAKE_ACCESS_KEY_ID", "k")
	t.Setenv("LAKE_ACCESS_KEY_SECRET", "s")
	for name, tt := range map[string]struct {
		put    int    // status
		header string // of HEAD
		wrong  bool
		puts   int // of two questions
	}{
		"encrypts":  {200, "AES256", false, 1},
		"refuses":   {501, "", true, 1},
		"malformed": {400, "", true, 1},
		"pretends":  {200, "", true, 1},
		"denied":    {403, "", false, 2},
	} {
		puts, deletes := 0, 0
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch r.Method {
			case http.MethodPut:
				puts++
				if got := r.Header.Get("X-Amz-Server-Side-Encryption"); got != "AES256" || r.URL.Path != "/logs/inv/probe" {
					t.Errorf("%s: PUT %s with encryption %q", name, r.URL.Path, got)
				}
				w.WriteHeader(tt.put)
			case http.MethodHead:
				if tt.header != "" {
					w.Header().Set("X-Amz-Server-Side-Encryption", tt.header)
				}
			case http.MethodDelete:
				deletes++
				w.WriteHeader(http.StatusNoContent)
			default:
				_, _ = w.Write([]byte("<VersioningConfiguration/>"))
			}
		}))
		st, err := foreign.Open(foreign.Settings{
			Name: "lake", Kind: foreign.S3, Endpoint: server.URL, Credentials: foreign.Env("LAKE"), Buckets: []string{"logs"},
			Roles: []foreign.RoleCredentials{{Role: "*"}},
		}, nil)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			err := st.Encrypts(t.Context(), "acs:ram::1:role/r", "logs", "inv/probe", stocktake.Encryption{SSEOSS: true})
			if errors.Is(err, foreign.ErrNoEncryption) != tt.wrong || !tt.wrong && err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		if puts != tt.puts || tt.put == 200 && deletes != 1 {
			t.Errorf("%s: %d objects are written, %d deleted", name, puts, deletes)
		}
		server.Close()
	}
}
