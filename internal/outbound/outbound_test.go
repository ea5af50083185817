package outbound_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"

	"github.com/stocktake/stocktake/internal/outbound"
)

func TestRules(t *testing.T) {
	lan := outbound.Public(netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("::1/128"))
	for addr, want := range map[string]struct{ public, lan, chosen bool }{
		"8.8.8.8":              {true, true, true},
		"2606:4700::1111":      {true, true, true},
		"10.1.2.3":             {false, true, true},
		"10.2.2.3":             {false, false, true},
		"127.0.0.1":            {false, false, true},
		"::1":                  {false, true, true},
		"::":                   {false, false, true},
		"0.0.0.0":              {false, false, true},
		"172.31.255.255":       {false, false, true},
		"172.32.0.0":           {true, true, true},
		"192.168.1.1":          {false, false, true},
		"255.255.255.255":      {false, false, true},
		"169.254.169.254":      {false, false, false},
		"fe80::1":              {false, false, false},
		"100.100.100.200":      {false, false, false},
		"100.64.0.1":           {false, false, true},
		"fd00:ec2::254":        {false, false, false},
		"fd00::1":              {false, false, true},
		"64:ff9b::7f00:1":      {false, false, true}, // 127.0.0.1 by way of a gateway
		"2002:7f00:1::":        {false, false, true},
		"2001:0:0:0:0:0:0:1":   {false, false, true},
		"ff02::1":              {false, false, false},
		"2001:db8::1":          {false, false, true},
		"::ffff:0:127.0.0.1":   {false, false, true}, // translated
		"::127.0.0.1":          {false, false, true}, // IPv4-compatible
		"2001:4860:4860::8888": {true, true, true},
	} {
		a := netip.MustParseAddr(addr)
		if got := (struct{ public, lan, chosen bool }{outbound.Public()(a), lan(a), outbound.NotMetadata(a)}); got != want {
			t.Errorf("%s: %+v, want %+v", addr, got, want)
		}
	}
}

// A connection is judged by the address it is made to, whatever name led there.
func TestTransport(t *testing.T) {
	reached := 0
	app := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached++ }))
	defer app.Close()
	_, port, err := net.SplitHostPort(app.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("HTTP_PROXY", app.URL)
	get := func(rule outbound.Rule, host string) error {
		transport := outbound.Transport(rule)
		defer transport.CloseIdleConnections()
		req, err := http.NewRequestWithContext(context.Background(), "GET", "http://"+net.JoinHostPort(host, port), nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := transport.RoundTrip(req)
		if err == nil {
			res.Body.Close()
		}
		return err
	}
	for _, host := range []string{"127.0.0.1", "localhost", "::ffff:127.0.0.1", "0.0.0.0", "2130706433", "127.1"} {
		err := get(outbound.Public(), host)
		var refused *outbound.AddressError
		var unknown *net.DNSError // a form of the address that the resolver does not take
		if !errors.As(err, &refused) && !errors.As(err, &unknown) {
			t.Errorf("%s: %v", host, err)
		}
	}
	if reached > 0 {
		t.Errorf("reached %d times", reached)
	}
	if err := get(outbound.Public(netip.MustParsePrefix("127.0.0.0/8")), "127.0.0.1"); err != nil || reached != 1 {
		t.Errorf("%v, reached %d times", err, reached)
	}
	if err := get(outbound.NotMetadata, "127.0.0.1"); err != nil || reached != 2 {
		t.Errorf("%v, reached %d times", err, reached)
	}
}
