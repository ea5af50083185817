package console

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss"
	"golang.org/x/sync/errgroup"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/human"
)

// A bucketRow is a bucket in the list of all buckets.
type bucketRow struct {
	Name        string    `json:"name"`
	Store       string    `json:"store,omitempty"` // empty: the embedded one
	Region      string    `json:"region,omitempty"`
	Inventories int       `json:"inventories"`
	Running     int       `json:"running"`
	Failed      int       `json:"failed"` // configurations whose last run failed
	Warned      int       `json:"warned"` // configurations with warnings that a run will fail
	Newest      time.Time `json:"newestReport,omitzero"`
	Objects     int64     `json:"objects"` // in the newest report
	Bytes       int64     `json:"bytes"`
	Denied      bool      `json:"denied,omitempty"` // the key may not see its configurations
	Problem     string    `json:"problem,omitempty"`
}

// bucketList is the data of the first page.
type bucketList struct {
	Buckets  []bucketRow `json:"buckets"`
	Unlisted bool        `json:"unlisted,omitempty"` // the key may not list buckets

	Inventories int   `json:"inventories"`
	Running     int   `json:"running"`
	Failed      int   `json:"failed"`
	Warned      int   `json:"warned"`
	Objects     int64 `json:"objects"`
	Bytes       int64 `json:"bytes"`
}

// concurrentReads is how many buckets are queried concurrently.
const concurrentReads = 8

// buckets shows the buckets of all stores with the state of their inventories.
func (v *visit) buckets() (*page, error) {
	var list bucketList
	for p := v.oss.NewListBucketsPaginator(&oss.ListBucketsRequest{}); p.HasNext(); {
		got, err := p.NextPage(v.ctx)
		if serr, ok := serviceError(err); ok && serr.StatusCode == http.StatusForbidden {
			list.Unlisted = true
			break
		}
		if err != nil {
			return nil, err
		}
		for _, b := range got.Buckets {
			list.Buckets = append(list.Buckets, bucketRow{Name: oss.ToString(b.Name), Region: oss.ToString(b.Region)})
		}
	}
	embedded := len(list.Buckets)
	if v.Stores != nil {
		elsewhere, err := v.Stores.Elsewhere(v.ctx)
		if err != nil {
			return nil, err
		}
		for _, name := range elsewhere {
			list.Buckets = append(list.Buckets, bucketRow{Name: name, Store: v.storeOf(name)})
		}
	}
	g := new(errgroup.Group)
	g.SetLimit(concurrentReads)
	for i := range list.Buckets {
		g.Go(func() error { return v.readInventories(&list.Buckets[i]) })
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	// The key may know the names that ListBuckets returned. Of the others, show only
	// those on which it has rights.
	known := list.Buckets[:embedded]
	for _, b := range list.Buckets[embedded:] {
		if !b.Denied {
			known = append(known, b)
		}
	}
	list.Buckets = known
	slices.SortFunc(list.Buckets, func(a, b bucketRow) int { return strings.Compare(a.Name, b.Name) })
	for _, b := range list.Buckets {
		list.Inventories += b.Inventories
		list.Running += b.Running
		list.Failed += b.Failed
		list.Warned += b.Warned
		list.Objects += b.Objects
		list.Bytes += b.Bytes
	}
	return &page{Template: "buckets", Title: "Buckets", Data: list}, nil
}

// readInventories fills in the state of the inventories of a bucket.
func (v *visit) readInventories(b *bucketRow) error {
	all, err := v.client.Status(v.ctx, b.Name, "")
	switch {
	case errors.Is(err, stocktake.ErrAccessDenied):
		b.Denied = true
		return nil
	case errors.Is(err, stocktake.ErrNoSuchBucket):
		b.Problem = "deleted"
		return nil
	case err != nil:
		return err
	}
	b.Inventories = len(all)
	for _, s := range all {
		if len(s.Warnings) > 0 {
			b.Warned++
		}
		if s.Last == nil {
			continue
		}
		switch {
		case s.Last.State == stocktake.Failed:
			b.Failed++
		case !s.Last.State.Ended():
			b.Running++
		case s.Last.State == stocktake.Succeeded && s.Last.Started.After(b.Newest):
			b.Newest, b.Objects, b.Bytes = s.Last.Started, s.Last.Matched, s.Last.Bytes
		}
	}
	return nil
}

// openBucket redirects to a bucket that the user names, for keys that may not list
// buckets.
func (v *visit) openBucket() (*page, error) {
	name := strings.TrimSpace(v.r.URL.Query().Get("bucket"))
	if !stocktake.ValidBucketName(name) {
		return nil, badRequest("%q is not the name of a bucket: 3 to 63 of a-z, 0-9 and '-'", human.Visible(name))
	}
	return v.redirect("/buckets/" + name)
}

// An inventoryRow is a configuration in the list of a bucket.
type inventoryRow struct {
	stocktake.InventoryStatus
	Href string `json:"-"`
}

// bucketPageData is the list of the configurations of a bucket.
type bucketPageData struct {
	Bucket      string         `json:"bucket"`
	Store       string         `json:"store,omitempty"`
	Find        string         `json:"find,omitempty"`
	Total       int            `json:"total"` // number of matches
	All         int            `json:"all"`
	Inventories []inventoryRow `json:"inventories"`
	Next        string         `json:"next,omitempty"` // id to continue after
}

// rowsOfPage is how many configurations a page lists.
const rowsOfPage = 100

// bucketPage shows the configurations of a bucket in order of their ids. ?find=
// keeps those whose id contains a text, ?after= continues a list.
func (v *visit) bucketPage() (*page, error) {
	all, err := v.client.Status(v.ctx, v.bucket(), "")
	if err != nil {
		return nil, err
	}
	q := v.r.URL.Query()
	data := bucketPageData{Bucket: v.bucket(), Store: v.storeOf(v.bucket()), Find: q.Get("find"), All: len(all), Inventories: []inventoryRow{}}
	for _, s := range all {
		if !strings.Contains(strings.ToLower(s.Configuration), strings.ToLower(data.Find)) {
			continue
		}
		data.Total++
		switch {
		case s.Configuration <= q.Get("after") && q.Get("after") != "":
		case len(data.Inventories) == rowsOfPage:
			data.Next = data.Inventories[rowsOfPage-1].Configuration
		default:
			data.Inventories = append(data.Inventories, inventoryRow{s, inventoryHref(s.Bucket, s.Configuration)})
		}
	}
	return &page{Template: "bucket", Title: human.Visible(data.Bucket), Trail: []crumb{{"Buckets", "/"}}, Data: data}, nil
}

func bucketHref(bucket string) string { return "/buckets/" + url.PathEscape(bucket) }

func inventoryHref(bucket, id string) string {
	return bucketHref(bucket) + "/inventories/" + url.PathEscape(id)
}

// trail returns the parents of a configuration's page.
func trail(bucket, id string) []crumb {
	t := []crumb{{"Buckets", "/"}, {human.Visible(bucket), bucketHref(bucket)}}
	if id != "" {
		t = append(t, crumb{human.Visible(id), inventoryHref(bucket, id)})
	}
	return t
}
