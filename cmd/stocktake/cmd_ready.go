package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/stocktake/stocktake/client"
)

// readyCmd is `stocktake ready`, a container probe: an image with only this binary has no other
// program for it.
type readyCmd struct {
	Endpoint string        `group:"Connection" help:"Address of the OSS API, or that of the metrics." default:"http://127.0.0.1:9000"`
	Timeout  time.Duration `help:"How long to wait for the answer." default:"5s"`
	jsonFlag
}

// Help is shown by --help below the flags.
func (readyCmd) Help() string {
	return `It asks /-/readyz, which needs no key. Exit code 0 if the server is ready for requests,
1 if it is not, or does not answer.`
}

// maxReadiness is the maximum size of an answer, in bytes.
const maxReadiness = 64 << 10

// readiness is a server's answer about itself.
type readiness struct {
	Ready bool     `json:"ready"`
	Says  []string `json:"says"` // why it is not ready, or remarks of a ready server
}

// Run asks the server once.
func (c *readyCmd) Run(ctx context.Context, con console) error {
	if c.Timeout <= 0 {
		return usagef("--timeout: must be more than 0")
	}
	u, err := endpointURL(c.Endpoint)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	u.Path, u.RawQuery, u.Fragment = "/-/readyz", "", ""
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return err
	}
	resp, err := client.NewHTTPClient().Do(req)
	if err != nil {
		return unreachable(err, "ask "+c.Endpoint)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxReadiness))
	if err != nil {
		return unreachable(err, "ask "+c.Endpoint)
	}
	says := strings.TrimSpace(string(body))
	switch resp.StatusCode {
	case http.StatusOK:
		if says != "ok" && !strings.HasPrefix(says, "ok\n") { // something else listens there
			return fmt.Errorf("%s is not a Stocktake server: its /-/readyz does not answer ok", c.Endpoint)
		}
		mentions := strings.TrimSpace(strings.TrimPrefix(says, "ok"))
		return c.say(con, readiness{Ready: true, Says: lines(mentions)}, "%s", printableText(strings.TrimSpace("ready\n"+mentions)))
	case http.StatusServiceUnavailable:
		why := fmt.Errorf("%s is not ready: %s", c.Endpoint, says)
		if c.JSON {
			why = errors.Join(why, c.say(con, readiness{Says: lines(says)}, ""))
		}
		return why
	}
	return fmt.Errorf("%s is not a Stocktake server: its /-/readyz answers %s", c.Endpoint, resp.Status)
}

// lines returns the lines of a text; none of an empty one.
func lines(text string) []string {
	if text == "" {
		return []string{}
	}
	return strings.Split(text, "\n")
}
