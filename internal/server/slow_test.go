package server

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stocktake/stocktake/internal/clock"
	"github.com/stocktake/stocktake/internal/metrics"
	"github.com/stocktake/stocktake/internal/ossapi"
	"github.com/stocktake/stocktake/internal/ram"
	"github.com/stocktake/stocktake/internal/server/listen"
	"github.com/stocktake/stocktake/internal/sts"
	"github.com/stocktake/stocktake/internal/testpipe"
)

// TestStrangersDoNotStay sends only a part of a body to the paths outside the OSS API, or reads
// no answer. Neither keeps a connection open for ever.
func TestStrangersDoNotStay(t *testing.T) {
	for _, request := range []string{
		"GET /-/healthz HTTP/1.1\r\nHost: x\r\n",
		"GET /-/metrics HTTP/1.1\r\nHost: x\r\n",
		"POST /-/clock HTTP/1.1\r\nHost: x\r\n",
		"GET /-/none HTTP/1.1\r\nHost: x\r\n",
		"GET /?Action=AssumeRole HTTP/1.1\r\nHost: x\r\n",
		"POST /?Action=AssumeRole HTTP/1.1\r\nHost: x\r\n",
		"POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n",
		"DELETE / HTTP/1.1\r\nHost: sts.aliyuncs.com\r\n",
	} {
		line, _, _ := strings.Cut(request, " HTTP")
		t.Run(line, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { strangers(t, request) })
		})
	}
}

func strangers(t *testing.T, request string) {
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	log := slog.New(slog.DiscardHandler)
	access, err := ram.Open("", ram.Root{AccessKeyID: "root-key", Secret: "root-secret", Account: "1000000000000000"}, ram.Options{})
	check(err)
	s := &Server{cfg: Config{AccountID: "1000000000000000"}, clock: clock.NewMovable(nil), admin: http.NewServeMux(), conns: listen.NewConnections(100, log)}
	s.openAdmin(access, nil, nil, metrics.New(log))
	api := ossapi.New(ossapi.Config{Access: access, Region: "cn-hangzhou", Log: log, Admin: listen.Hasty(s.admin)})
	handler := withSTS(sts.New(access, sts.Options{Log: log}), api)
	ctx, end := context.WithCancel(t.Context())
	in := testpipe.New()
	served := make(chan error, 1)
	go func() { served <- listen.Serve(ctx, []listen.Listener{{Listener: in}}, s.conns, handler, log) }()

	// A body that never comes.
	client := in.Dial()
	defer client.Close()
	_, err = io.WriteString(client, request+"Content-Length: 100\r\n\r\nmeow")
	check(err)
	check(client.SetReadDeadline(time.Now().Add(10 * time.Minute)))
	answer := bufio.NewReader(client)
	res, err := http.ReadResponse(answer, nil)
	check(err)
	_, err = io.Copy(io.Discard, res.Body)
	check(err)
	if _, err := answer.ReadByte(); err != io.EOF {
		t.Errorf("the connection stays: %v", err)
	}
	check(client.Close())

	// An answer that the client does not read.
	client = in.Dial()
	defer client.Close()
	_, err = io.WriteString(client, request+"\r\n")
	check(err)
	time.Sleep(10 * time.Minute)
	if _, err := io.WriteString(client, request); err == nil {
		t.Error("the connection stays")
	}
	end()
	check(<-served)
}
