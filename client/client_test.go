package client_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss"
	"github.com/google/go-cmp/cmp"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/client"
)

func TestPutGetDelete(t *testing.T) {
	for _, version := range []oss.SignatureVersionType{oss.SignatureVersionV1, oss.SignatureVersionV4} {
		t.Run(version.String(), func(t *testing.T) {
			s := newService(t)
			c := s.client(func(cfg *oss.Config) { cfg.WithSignatureVersion(version) })
			for _, id := range []string{"daily", "every: thing & <more>? 日"} {
				cfg := configuration(id)
				if err := c.Put(t.Context(), "photos", cfg); err != nil {
					t.Fatal(err)
				}
				if err := c.Put(t.Context(), "photos", cfg); !errors.Is(err, stocktake.ErrInventoryExists) {
					t.Errorf("put again: %v", err)
				}
				got, err := c.Get(t.Context(), "photos", id)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(cfg.Normalized(), got); diff != "" {
					t.Error(diff)
				}
				for range 2 { // the second time there is nothing to delete
					if err := c.Delete(t.Context(), "photos", id); err != nil {
						t.Error(err)
					}
				}
				if _, err := c.Get(t.Context(), "photos", id); !errors.Is(err, stocktake.ErrNoSuchInventory) {
					t.Errorf("get what was deleted: %v", err)
				}
			}
		})
	}
}

func TestList(t *testing.T) {
	for _, n := range []int{0, 1, 100, 101, 350} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			s := newService(t)
			c := s.client()
			var want []string
			for i := range n {
				id := fmt.Sprint(i)
				s.configs[id] = configuration(id).Normalized()
				want = append(want, id)
			}
			slices.Sort(want)
			var got []string
			for cfg, err := range c.List(t.Context(), "photos") {
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, cfg.ID)
			}
			if !slices.Equal(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
			if pages := max(1, (n+99)/100); len(s.asked) != pages {
				t.Errorf("%d requests, want %d", len(s.asked), pages)
			}
		})
	}
	t.Run("stops when the caller does", func(t *testing.T) {
		s := newService(t)
		c := s.client()
		for i := range 150 {
			s.configs[fmt.Sprint(i)] = configuration(fmt.Sprint(i))
		}
		for range c.List(t.Context(), "photos") {
			break
		}
		if len(s.asked) != 1 {
			t.Errorf("%d requests, want 1", len(s.asked))
		}
	})
	t.Run("ends with an error", func(t *testing.T) {
		for name, answer := range map[string]string{
			"the same token": "<ListInventoryConfigurationsResult><IsTruncated>true</IsTruncated><NextContinuationToken>1</NextContinuationToken></ListInventoryConfigurationsResult>",
			"no token":       "<ListInventoryConfigurationsResult><IsTruncated>true</IsTruncated></ListInventoryConfigurationsResult>",
			"not XML":        "{}",
			"cut off":        "<ListInventoryConfigurationsResult>",
			"too long":       "<!--" + strings.Repeat("x", 16<<20) + "--><ListInventoryConfigurationsResult/>",
		} {
			s := newService(t)
			s.answer = func(w http.ResponseWriter, _ *http.Request) bool {
				w.Write([]byte(answer))
				return true
			}
			var last error
			for _, err := range s.client().List(t.Context(), "photos") {
				last = err
			}
			if last == nil || len(s.asked) > 2 {
				t.Errorf("%s: %v after %d requests", name, last, len(s.asked))
			}
		}
	})
}

func TestErrors(t *testing.T) {
	s := newService(t)
	c := s.client()
	ctx := t.Context()
	incremental := configuration("incremental")
	incremental.Incremental = &stocktake.IncrementalInventory{IsEnabled: true, Frequency: 600}
	other := configuration("daily")
	other.Destination.AccountID = "1"

	list := func(bucket string) (err error) {
		for _, err = range c.List(ctx, bucket) {
		}
		return err
	}
	get := func(bucket, id string) error { _, err := c.Get(ctx, bucket, id); return err }
	run := func(id string) error { _, err := c.Run(ctx, "photos", id); return err }
	cancel := func(id string) error { _, err := c.Cancel(ctx, "photos", id); return err }
	s.configs["idle"] = configuration("idle")

	for _, tt := range []struct {
		name   string
		err    error
		is     error
		status int
		text   string
	}{
		{"put, no bucket", c.Put(ctx, "elsewhere", configuration("daily")), stocktake.ErrNoSuchBucket, 404, "put inventory daily of bucket elsewhere: NoSuchBucket: The specified bucket does not exist. (status 404, request id 65A1B2C3D4E5F60718293A4B, EC 0015-00000101)"},
		{"get, no bucket", get("elsewhere", "daily"), stocktake.ErrNoSuchBucket, 404, "get inventory daily"},
		{"list, no bucket", list("elsewhere"), stocktake.ErrNoSuchBucket, 404, "list inventories of bucket elsewhere"},
		{"delete, no bucket", c.Delete(ctx, "elsewhere", "daily"), stocktake.ErrNoSuchBucket, 404, "delete inventory daily"},
		{"get, no configuration", get("photos", "daily"), stocktake.ErrNoSuchInventory, 404, "NoSuchInventory"},
		{"run, no configuration", run("daily"), stocktake.ErrNoSuchInventory, 404, "run inventory daily"},
		{"cancel, no run", cancel("idle"), stocktake.ErrNoSuchRun, 404, "cancel the run of inventory idle"},
		{"put, incremental", c.Put(ctx, "photos", incremental), stocktake.ErrIncrementalDisabled, 403, "Incremental Inventory is disabled."},
		{"put, invalid", c.Put(ctx, "photos", other), nil, 400, "AccountId"},
	} {
		if tt.err == nil || !strings.Contains(tt.err.Error(), tt.text) || strings.Contains(tt.err.Error(), "\n") {
			t.Errorf("%s: %v, want it to contain %q", tt.name, tt.err, tt.text)
		}
		if tt.is != nil && !errors.Is(tt.err, tt.is) {
			t.Errorf("%s: %v is not %v", tt.name, tt.err, tt.is)
		}
		if e, ok := errors.AsType[*oss.ServiceError](tt.err); !ok || e.StatusCode != tt.status {
			t.Errorf("%s: %#v, want a ServiceError with status %d", tt.name, tt.err, tt.status)
		}
	}
}

// What cannot be sent, or would be another request, is refused before it is sent.
func TestRefusesToSend(t *testing.T) {
	s := newService(t)
	c := s.client()
	ctx := t.Context()

	unknownField, notUTF8, colon := configuration("a"), configuration("b"), configuration("c")
	unknownField.OptionalFields = []stocktake.Field{0}
	notUTF8.Filter.Prefix = "a\xff"
	colon.Destination.Bucket = "acs:oss:::reports"
	for _, cfg := range []stocktake.InventoryConfiguration{unknownField, notUTF8, colon} {
		if _, ok := errors.AsType[*stocktake.InvalidArgumentError](c.Put(ctx, "photos", cfg)); !ok {
			t.Errorf("configuration %s was sent", cfg.ID)
		}
	}
	_, getErr := c.Get(ctx, "photos", "")
	_, runErr := c.Run(ctx, "photos", "")
	_, runsErr := c.Runs(ctx, "photos", "")
	for i, err := range []error{getErr, runErr, runsErr, c.Delete(ctx, "photos", ""), c.Delete(ctx, "Not a bucket", "daily")} {
		if err == nil {
			t.Errorf("call %d: no error", i)
		}
	}
	if len(s.asked) != 0 {
		t.Errorf("asked for %q", s.asked)
	}
}

func TestCanceled(t *testing.T) {
	c := newService(t).client()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Get(ctx, "photos", "daily"); !errors.Is(err, context.Canceled) {
		t.Errorf("get: %v", err)
	}
}

// OSS itself does not know the extensions.
func TestNotSupported(t *testing.T) {
	s := newService(t)
	s.configs["daily"] = configuration("daily")
	s.answer = func(w http.ResponseWriter, r *http.Request) bool {
		switch {
		case r.Method == http.MethodPost:
			fail(w, 400, "MalformedPOSTRequest", "The body of your POST request is not well-formed multipart/form-data.", "")
			return true
		case r.URL.Query().Has("x-oss-stocktake"): // ignored
			w.Header().Set("Content-Type", "application/xml")
			w.Write([]byte("<InventoryConfiguration/>"))
			return true
		}
		return false
	}
	c, ctx := s.client(), t.Context()
	_, err := c.Run(ctx, "photos", "daily")
	_, cancelErr := c.Cancel(ctx, "photos", "daily")
	_, runsErr := c.Runs(ctx, "photos", "daily")
	_, statusErr := c.Status(ctx, "photos", "")
	_, suspendErr := c.Suspend(ctx, "photos", "daily")
	for i, err := range []error{err, cancelErr, runsErr, statusErr, suspendErr} {
		if !errors.Is(err, client.ErrNotSupported) {
			t.Errorf("call %d: %v", i, err)
		}
	}
	if _, ok := errors.AsType[*oss.ServiceError](err); !ok {
		t.Errorf("run: %#v hides the answer", err)
	}
}

func TestExtensions(t *testing.T) {
	s := newService(t)
	s.configs["daily"], s.configs["weekly"] = configuration("daily"), configuration("weekly")
	c, ctx := s.client(), t.Context()

	run, err := c.Run(ctx, "photos", "daily")
	if err != nil || run.ID != "run-1" || run.State != stocktake.Queued {
		t.Errorf("run: %+v, %v", run, err)
	}
	if run, err = c.Cancel(ctx, "photos", "daily"); err != nil || run.State != stocktake.Cancelled {
		t.Errorf("cancel: %+v, %v", run, err)
	}
	if runs, err := c.Runs(ctx, "photos", "daily"); err != nil || len(runs) != 1 || runs[0] != run {
		t.Errorf("runs: %+v, %v", runs, err)
	}
	for id, n := range map[string]int{"": 2, "weekly": 1} {
		if all, err := c.Status(ctx, "photos", id); err != nil || len(all) != n {
			t.Errorf("status of %q: %+v, %v", id, all, err)
		}
	}
	for action, call := range map[string]func(context.Context, string, string) (stocktake.InventoryStatus, error){
		"suspend": c.Suspend, "resume": c.Resume, "check": c.Check,
	} {
		if status, err := call(ctx, "photos", "daily"); err != nil || status.Configuration != "daily" || !slices.Equal(status.Warnings, []string{action}) {
			t.Errorf("%s: %+v, %v", action, status, err)
		}
	}
	want := []string{"inventoryId=daily", "x-oss-stocktake=run"}
	for _, part := range want {
		if !strings.Contains(s.asked[0], part) || !strings.HasPrefix(s.asked[0], "POST ") {
			t.Errorf("asked %q, want a POST with %s", s.asked[0], part)
		}
	}
}
