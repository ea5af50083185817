package cluster_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/url"
	"time"

	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss"

	"github.com/stocktake/stocktake/client"
	"github.com/stocktake/stocktake/internal/testserver"
)

// retryable reports whether a client may repeat the request after an error: the
// connection broke, or the server says so.
func retryable(err error) bool {
	if answer, ok := errors.AsType[*oss.ServiceError](err); ok {
		return answer.StatusCode == 503
	}
	_, isURL := errors.AsType[*url.Error](err)
	_, isNet := errors.AsType[net.Error](err)
	return isURL || isNet || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}

// insist calls the servers in turn until one does not return a retryable error.
func (c *chaos) insist(ask func(*machine) error) error {
	begin := time.Now()
	for n := 0; ; n++ {
		err := ask(c.api[n%len(c.api)])
		c.count("requests")
		if err == nil || !retryable(err) || time.Since(begin) > limit {
			c.mu.Lock()
			if n > 0 {
				c.longest = max(c.longest, time.Since(begin))
			}
			c.mu.Unlock()
			return err
		}
		c.count("retryable errors")
		time.Sleep(100 * time.Millisecond) // as clients do
	}
}

func (c *chaos) client(m *machine) *client.Client { return client.New(sdk(c.url(m))) }

// churn puts, gets, lists and deletes configurations of its own with the official
// SDK, and records which must exist.
func (c *chaos) churn(ctx context.Context, number int, random *rand.Rand, kept map[string]string) {
	for n := 0; ctx.Err() == nil; n++ {
		id, prefix := fmt.Sprintf("churn-%d-%d", number, n), []string{"photos/", "hostile/", ""}[n%3]
		c.mu.Lock()
		c.prefixes[id] = prefix
		c.mu.Unlock()
		err := c.putGet(id, prefix)
		if err == nil && random.IntN(2) == 0 {
			err = c.runEnds("logs", id)
		}
		if err == nil && (random.IntN(2) == 0 || len(kept) >= 20) {
			err = c.remove(id)
		} else {
			kept[id] = prefix
		}
		if err != nil {
			c.t.Errorf("%s: %v", id, err)
			return
		}
	}
}

// putGet puts a configuration, which each server must return from then on.
func (c *chaos) putGet(id, prefix string) error {
	tried := false
	err := c.insist(func(m *machine) error {
		_, err := sdk(c.url(m)).PutBucketInventory(context.WithoutCancel(c.t.Context()), &oss.PutBucketInventoryRequest{
			Bucket: oss.Ptr("logs"), InventoryId: &id, InventoryConfiguration: &oss.InventoryConfiguration{
				Id: &id, IsEnabled: oss.Ptr(true), IncludedObjectVersions: oss.Ptr("Current"), Filter: &oss.InventoryFilter{Prefix: &prefix},
				Schedule: &oss.InventorySchedule{Frequency: oss.InventoryFrequencyWeekly},
				Destination: &oss.InventoryDestination{OSSBucketDestination: &oss.InventoryOSSBucketDestination{
					Format: oss.InventoryFormatCSV, AccountId: oss.Ptr(testserver.AccountID), RoleArn: oss.Ptr("acs:ram::" + testserver.AccountID + ":role/stocktake"),
					Bucket: oss.Ptr("acs:oss:::" + c.reports), Prefix: oss.Ptr("inv"),
				}},
			},
		})
		if answer, ok := errors.AsType[*oss.ServiceError](err); ok && answer.StatusCode == 409 && tried {
			return nil // the answer to an earlier attempt was lost
		}
		tried = true
		return err
	})
	for _, m := range c.api {
		if err == nil {
			err = c.get(m, id, prefix)
		}
	}
	if err != nil {
		return fmt.Errorf("put: %w", err)
	}
	listed, err := c.list()
	if err == nil && !listed[id] {
		err = errors.New("an acknowledged configuration is not listed")
	}
	return err
}

// get checks the configuration on one server.
func (c *chaos) get(m *machine, id, prefix string) error {
	return c.insist(func(other *machine) error {
		got, err := sdk(c.url(m)).GetBucketInventory(context.WithoutCancel(c.t.Context()), &oss.GetBucketInventoryRequest{Bucket: oss.Ptr("logs"), InventoryId: &id})
		if err != nil {
			return err
		}
		has := ""
		if f := got.InventoryConfiguration.Filter; f != nil && f.Prefix != nil {
			has = *f.Prefix
		}
		if has != prefix {
			return fmt.Errorf("%s has another configuration, of prefix %q, want %q", m.name, has, prefix)
		}
		return nil
	})
}

// list returns the ids of the configurations.
func (c *chaos) list() (ids map[string]bool, err error) {
	err = c.insist(func(m *machine) error {
		ids = map[string]bool{}
		request := &oss.ListBucketInventoryRequest{Bucket: oss.Ptr("logs")}
		for {
			page, err := sdk(c.url(m)).ListBucketInventory(context.WithoutCancel(c.t.Context()), request)
			if answer, ok := errors.AsType[*oss.ServiceError](err); ok && answer.Code == "NoSuchInventory" {
				return nil // the last one was deleted
			}
			if err != nil {
				return err
			}
			for _, cfg := range page.ListInventoryConfigurationsResult.InventoryConfigurations {
				ids[*cfg.Id] = true
			}
			if t := page.ListInventoryConfigurationsResult.IsTruncated; t == nil || !*t {
				return nil
			}
			request.ContinuationToken = page.ListInventoryConfigurationsResult.NextContinuationToken
		}
	})
	return ids, err
}

// remove deletes a configuration, which no server may return from then on.
func (c *chaos) remove(id string) error {
	err := c.insist(func(m *machine) error {
		_, err := sdk(c.url(m)).DeleteBucketInventory(context.WithoutCancel(c.t.Context()), &oss.DeleteBucketInventoryRequest{Bucket: oss.Ptr("logs"), InventoryId: &id})
		return err
	})
	if err != nil {
		return fmt.Errorf("delete: %w", err)
	}
	for _, m := range c.api {
		err := c.insist(func(*machine) error {
			_, err := sdk(c.url(m)).GetBucketInventory(context.WithoutCancel(c.t.Context()), &oss.GetBucketInventoryRequest{Bucket: oss.Ptr("logs"), InventoryId: &id})
			if answer, ok := errors.AsType[*oss.ServiceError](err); ok && answer.StatusCode == 404 {
				return nil
			}
			if err == nil {
				err = errors.New("a configuration is there whose deletion was acknowledged")
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	listed, err := c.list()
	if err == nil && listed[id] {
		err = errors.New("a configuration is listed whose deletion was acknowledged")
	}
	return err
}
