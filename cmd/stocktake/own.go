package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/stocktake/stocktake/internal/signature"
)

// maxOwnReply bounds an answer of what is the server's own, in bytes.
const maxOwnReply = 16 << 20

// An ownError is a refusal of what is the server's own.
type ownError struct {
	code         int // of HTTP
	status, text string
}

func (e *ownError) Error() string {
	return fmt.Sprintf("the server answered %s: %s", e.status, e.text)
}

// own asks for what is the server's own, below /-/, and reads the answer into
// reply. An *ownError if it was refused.
func (r *remote) own(ctx context.Context, method, pathAndQuery string, target signature.Target, reply any) error {
	k, err := r.key()
	if err != nil {
		return err
	}
	base := r.Endpoint
	if !strings.Contains(base, "://") {
		base = "https://" + base
	}
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(base, "/")+pathAndQuery, nil)
	if err != nil {
		return usagef("--endpoint: %w", err)
	}
	signer := signature.Credentials{ID: k.ID, Secret: k.Secret, Token: k.Token}
	if err := signature.Sign(req, target, signer, r.Region, signature.V4, time.Now()); err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return unreachable(err, "ask "+r.Endpoint)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxOwnReply))
	if err != nil {
		return unreachable(err, "ask "+r.Endpoint)
	}
	if resp.StatusCode == http.StatusOK && json.Unmarshal(body, reply) == nil {
		return nil
	}
	return &ownError{resp.StatusCode, resp.Status, strings.TrimSpace(string(body[:min(len(body), 1000)]))}
}
