package server_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/server"
	"github.com/stocktake/stocktake/internal/testpostgres"
	"github.com/stocktake/stocktake/stocktaketest"
)

// A server with only the role api leaves runs to a worker. The worker answers only requests
// about itself.
func TestRoles(t *testing.T) {
	pg := testpostgres.Start(t)
	far := stocktaketest.New(t, stocktaketest.WithBuckets("lake-photos", "lake-reports"))
	put(t, far, "lake-photos", "a", "b", "c")
	address := pg.Database(t)
	api := stocktaketest.New(t, shared(address), withStores(lake(t, far)), func(c *server.Config) { c.Roles, c.Name = []string{"api"}, "front" })
	if err := api.Inventories().Put(t.Context(), "lake-photos", configuration(api, "daily", "lake-reports")); err != nil {
		t.Fatal(err)
	}
	work, err := api.Inventories().Work(t.Context(), "lake-photos", "")
	for err == nil && len(work.Machines) == 0 { // it has not registered yet
		time.Sleep(time.Millisecond)
		work, err = api.Inventories().Work(t.Context(), "lake-photos", "")
	}
	if err != nil || work.Waiting != 1 || len(work.Machines) != 1 || work.Machines[0].Slices != 0 {
		t.Fatalf("without a worker: %+v, %v", work, err)
	}

	cfg := server.Config{
		Data: t.TempDir(), Listen: "127.0.0.1:0", Log: slog.New(slog.DiscardHandler),
		Roles: []string{"worker", "scheduler"}, Name: "back",
	}
	shared(address)(&cfg)
	withStores(lake(t, far))(&cfg)
	s, err := server.New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx) }()
	runs, err := api.Inventories().Runs(t.Context(), "lake-photos", "daily")
	if err != nil {
		t.Fatal(err)
	}
	run, err := api.Inventories().Wait(t.Context(), runs[0], nil)
	if err != nil || run.State != stocktake.Succeeded || run.Listed != 3 {
		t.Errorf("%+v, %v", run, err)
	}
	for path, status := range map[string]int{"/": 503, "/lake-photos?inventory": 503, "/-/healthz": 200, "/-/readyz": 200, "/-/metrics": 200} {
		resp, err := http.Get(s.Endpoint() + path)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if resp.StatusCode != status || status == 503 && !strings.Contains(string(body), "--roles") {
			t.Errorf("%s: %s: %s", path, resp.Status, body)
		}
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestRolesRefused(t *testing.T) {
	with := server.Config{Data: t.TempDir(), Database: "postgres://u@db/n", MasterKey: masterKey}
	for name, change := range map[string]func(*server.Config){
		"roles: needs --database":            func(c *server.Config) { c.Roles, c.Database = []string{"worker"}, "" },
		`roles: "cook" is not one of api`:    func(c *server.Config) { c.Roles = []string{"cook"} },
		"roles: worker is named twice":       func(c *server.Config) { c.Roles = []string{"worker", "worker"} },
		"bucket: needs the role api":         func(c *server.Config) { c.Roles, c.Buckets = []string{"worker"}, []string{"photos"} },
		"console-listen: needs the role api": func(c *server.Config) { c.Roles, c.ConsoleListen = []string{"worker"}, "127.0.0.1:0" },
	} {
		cfg := with
		change(&cfg)
		err := cfg.Validate()
		if _, ok := errors.AsType[*server.SettingError](err); !ok || !strings.HasPrefix(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
