package client

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// A server that has not answered yet is waited for by the client of Admin, after
// one whose connections may be silent for some time has given up.
func TestAdminWaitsForTheAnswer(t *testing.T) {
	asked, answer := make(chan string, 2), make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		asked <- r.URL.Path
		<-answer
	}))
	defer server.Close()
	got := make(chan error)
	go func() {
		resp, err := patient().Get(server.URL + "/patient")
		if err == nil {
			err = resp.Body.Close()
		}
		got <- err
	}()
	if path := <-asked; path != "/patient" {
		t.Errorf("asked for %s", path)
	}
	silence := 10 * time.Millisecond
	resp, err := newHTTPClient(&silence).Get(server.URL + "/impatient")
	if err == nil {
		resp.Body.Close()
		t.Error("the client waited longer than its connections may be silent")
	}
	close(answer)
	if err := <-got; err != nil {
		t.Error(err)
	}
}
