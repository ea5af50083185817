package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestReady(t *testing.T) {
	for name, test := range map[string]struct {
		status int
		body   string
		code   int
		want   readiness
		stderr string
	}{
		"ready":           {http.StatusOK, "ok\n", 0, readiness{true, []string{}}, ""},
		"with a mention":  {http.StatusOK, "ok\nthe index is damaged\n", 0, readiness{true, []string{"the index is damaged"}}, ""},
		"not ready":       {http.StatusServiceUnavailable, "the disk is full\nno database\n", exitFailed, readiness{false, []string{"the disk is full", "no database"}}, "is not ready: the disk is full"},
		"another server":  {http.StatusOK, "<html>", exitFailed, readiness{}, "is not a Stocktake server"},
		"another service": {http.StatusNotFound, "", exitFailed, readiness{}, "answers 404"},
	} {
		t.Run(name, func(t *testing.T) {
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/-/readyz" {
					t.Errorf("asked for %s", r.URL.Path)
				}
				w.WriteHeader(test.status)
				fmt.Fprint(w, test.body)
			}))
			defer srv.Close()
			var out, errs bytes.Buffer
			if code := run(t.Context(), []string{"ready", "--endpoint", srv.URL + "/some/path?x", "--json"}, console{&out, &errs}); code != test.code {
				t.Errorf("exit code %d, want %d\n%s", code, test.code, errs.String())
			}
			if !strings.Contains(errs.String(), test.stderr) {
				t.Errorf("said %q, want %q", errs.String(), test.stderr)
			}
			if test.want.Says == nil {
				if out.Len() > 0 {
					t.Errorf("printed %q", out.String())
				}
				return
			}
			var got readiness
			if err := json.Unmarshal(out.Bytes(), &got); err != nil {
				t.Fatalf("%v: %q", err, out.String())
			}
			if fmt.Sprint(got) != fmt.Sprint(test.want) {
				t.Errorf("printed %v, want %v", got, test.want)
			}
		})
	}
}
