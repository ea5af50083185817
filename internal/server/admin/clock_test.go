package admin

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stocktake/stocktake/internal/clock"
	"github.com/stocktake/stocktake/internal/ram"
	"github.com/stocktake/stocktake/internal/signature"
)

// TestClockNeedsAllSigned holds that an attacker cannot make more of a request
// that they have overheard: signature V1 leaves out by how much the clock
// moves.
func TestClockNeedsAllSigned(t *testing.T) {
	access, err := ram.Open("", ram.Root{AccessKeyID: "root-key", Secret: "root-secret", Account: "1000000000000000"}, ram.Options{})
	if err != nil {
		t.Fatal(err)
	}
	h := Clock(Account{access, "1000000000000000", time.Now, slog.New(slog.DiscardHandler), func(context.Context, string) {}}, clock.NewMovable(nil))
	for _, scheme := range []signature.Scheme{signature.V1, signature.V4} {
		r := httptest.NewRequest("POST", ClockPath+"?advance=1h", nil)
		if err := signature.Sign(r, clockTarget, signature.Credentials{ID: "root-key", Secret: "root-secret"}, "cn-hangzhou", scheme, time.Now()); err != nil {
			t.Fatal(err)
		}
		r.URL.RawQuery = "advance=87600h"
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != http.StatusForbidden {
			t.Errorf("%v: %d", scheme, w.Code)
		}
	}
}
