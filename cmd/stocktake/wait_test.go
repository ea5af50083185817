package main

import (
	"context"
	"io"
	"log/slog"
	"strings"
	"testing"

	"github.com/stocktake/stocktake/internal/server"
)

// TestWaitInterrupted stops waiting for a run: the command says that the run
// continues.
func TestWaitInterrupted(t *testing.T) {
	t.Setenv("OSS_ACCESS_KEY_ID", scriptKey)
	t.Setenv("OSS_ACCESS_KEY_SECRET", scriptSecret)
	s, err := server.New(t.Context(), server.Config{
		Data: t.TempDir(), Listen: "127.0.0.1:0", RootKey: server.AccessKey{ID: scriptKey, Secret: scriptSecret}, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	serving, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(serving) }()
	defer func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	t.Setenv("STOCKTAKE_ENDPOINT", s.Endpoint())
	for _, args := range []string{"bucket create photos", "inventory put -b photos -i daily --wait"} {
		if code := run(t.Context(), strings.Fields(args), console{io.Discard, io.Discard}); code != 0 {
			t.Fatalf("%s ends with %d", args, code)
		}
	}
	// A run may have ended before its first state is shown.
	for range 100 {
		ctx, cancel := context.WithCancel(t.Context())
		errs := endAt{end: cancel, when: "\n"}
		code := run(ctx, strings.Fields("inventory run -b photos -i daily --wait"), console{io.Discard, &errs})
		cancel()
		if code == 0 {
			continue
		}
		for _, want := range []string{"the run continues; to cancel it: stocktake inventory cancel -b photos -i daily\n", "stocktake: interrupted\n"} {
			if !strings.Contains(errs.String(), want) {
				t.Errorf("an interrupt says %q; want %q in it", errs.String(), want)
			}
		}
		return
	}
	t.Error("no run was interrupted in 100 tries")
}
