// Package client is a client of the bucket inventory API: put, get, list and
// delete configurations on Stocktake or on OSS itself, and, on Stocktake, start,
// watch and cancel their runs.
//
// It uses the official SDK, whose client has the endpoint, the credentials, the
// signature and the retries:
//
//	cfg := oss.LoadDefaultConfig().WithRegion("cn-hangzhou").WithEndpoint("http://127.0.0.1:9000").
//		WithCredentialsProvider(credentials.NewEnvironmentVariableCredentialsProvider())
//	c := client.New(oss.NewClient(cfg))
//
// Unlike the SDK's own calls it knows every element of a configuration
// (AutoDelete among them), follows the pages of a listing, and returns the
// errors of package stocktake.
package client

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"reflect"

	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss"
	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss/signer"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/inventoryxml"
)

// Client calls the inventory API. It may be used by many goroutines at once.
//
// The errors of its methods name the operation. errors.Is finds
// [stocktake.ErrNoSuchBucket], [stocktake.ErrNoSuchInventory] and the like in
// them, errors.As the [*oss.ServiceError] with the status, code, EC and request
// id.
type Client struct {
	oss *oss.Client
}

// New returns a Client that sends its requests with c.
func New(c *oss.Client) *Client { return &Client{c} }

// Put adds a configuration to bucket, or returns [stocktake.ErrInventoryExists] if there is one
// with its id: to change a configuration, use [Client.Replace]. Because the SDK repeats a request
// whose answer was lost, that error may also mean that this call succeeded.
//
// The service validates the configuration; Put itself refuses only values that the XML cannot
// represent, with an [*stocktake.InvalidArgumentError].
func (c *Client) Put(ctx context.Context, bucket string, cfg stocktake.InventoryConfiguration) error {
	op := operation{name: "PutBucketInventory", method: http.MethodPut, bucket: bucket, id: cfg.ID, action: "put inventory"}
	op.body = inventoryxml.Append(nil, &cfg)
	if err := checkLossless(cfg, op.body); err != nil {
		return op.failed(err)
	}
	_, err := c.call(ctx, op)
	return err
}

// checkLossless returns an error unless doc has all that cfg has.
func checkLossless(cfg stocktake.InventoryConfiguration, doc []byte) error {
	said, err := inventoryxml.Parse(doc)
	if err != nil {
		return err
	}
	if reflect.DeepEqual(said, cfg.Normalized()) {
		return nil
	}
	if err := cfg.Validate(stocktake.InventoryRules{}); err != nil {
		return err
	}
	return errors.New("the configuration has no XML form")
}

// Get returns a configuration, or [stocktake.ErrNoSuchInventory].
func (c *Client) Get(ctx context.Context, bucket, id string) (stocktake.InventoryConfiguration, error) {
	op := operation{name: "GetBucketInventory", method: http.MethodGet, bucket: bucket, id: id, action: "get inventory"}
	answer, err := c.callForID(ctx, op)
	if err != nil {
		return stocktake.InventoryConfiguration{}, err
	}
	cfg, err := inventoryxml.Parse(answer.body)
	return cfg, op.failed(err)
}

// List yields the configurations of bucket by id, in byte order, requesting a
// page when the previous one has been consumed. A bucket without any yields
// nothing. An error is the last thing yielded.
func (c *Client) List(ctx context.Context, bucket string) iter.Seq2[stocktake.InventoryConfiguration, error] {
	return func(yield func(stocktake.InventoryConfiguration, error) bool) {
		for token, more := "", true; more; {
			var page []stocktake.InventoryConfiguration
			var err error
			page, token, more, err = c.page(ctx, bucket, token)
			if errors.Is(err, stocktake.ErrNoSuchInventory) {
				return // how OSS says that there are none
			}
			if err != nil {
				yield(stocktake.InventoryConfiguration{}, err)
				return
			}
			for _, cfg := range page {
				if !yield(cfg, nil) {
					return
				}
			}
		}
	}
}

// page reads the page after token and the token of the next.
func (c *Client) page(ctx context.Context, bucket, token string) (page []stocktake.InventoryConfiguration, next string, more bool, err error) {
	op := operation{name: "ListBucketInventory", method: http.MethodGet, bucket: bucket, action: "list inventories"}
	if token != "" {
		op.parameters = map[string]string{"continuation-token": token}
	}
	answer, err := c.call(ctx, op)
	if err != nil {
		return nil, "", false, err
	}
	page, next, more, err = inventoryxml.ParseList(answer.body)
	if err == nil && more && (next == "" || next == token) {
		err = fmt.Errorf("the listing does not advance beyond %q", token)
	}
	return page, next, more, op.failed(err)
}

// Delete removes a configuration; its reports stay. Deleting one that does
// not exist is not an error.
func (c *Client) Delete(ctx context.Context, bucket, id string) error {
	op := operation{name: "DeleteBucketInventory", method: http.MethodDelete, bucket: bucket, id: id, action: "delete inventory"}
	_, err := c.callForID(ctx, op)
	return err
}

// An operation is one request on the inventory sub-resource of a bucket.
type operation struct {
	name, method string
	bucket, id   string
	parameters   map[string]string // besides inventory and inventoryId
	body         []byte
	action       string // for people, such as "put inventory"
}

// failed returns err with the name of the operation; nil stays nil.
func (op *operation) failed(err error) error {
	if err == nil {
		return nil
	}
	what := op.action
	if op.id != "" {
		what += " " + op.id
	}
	return explain(what+" of bucket "+op.bucket, err)
}

// An answer is the response to a call that succeeded.
type answer struct {
	header http.Header
	body   []byte
}

// callForID does what call does for operations that are different ones without an id.
func (c *Client) callForID(ctx context.Context, op operation) (answer, error) {
	if op.id == "" {
		return answer{}, op.failed(&stocktake.InvalidArgumentError{Element: "inventoryId", EC: "0020-00000002", Reason: "it is empty"})
	}
	return c.call(ctx, op)
}

func (c *Client) call(ctx context.Context, op operation) (answer, error) {
	input := &oss.OperationInput{
		OpName: op.name, Method: op.method, Bucket: oss.Ptr(op.bucket),
		Headers:    map[string]string{},
		Parameters: map[string]string{"inventory": ""},
	}
	if op.id != "" {
		input.Parameters["inventoryId"] = op.id
	}
	for name, value := range op.parameters {
		input.Parameters[name] = value
	}
	if op.body != nil {
		sum := md5.Sum(op.body)
		input.Headers["Content-Type"] = "application/xml"
		input.Headers["Content-MD5"] = base64.StdEncoding.EncodeToString(sum[:])
		input.Body = bytes.NewReader(op.body)
	}
	// Signature V1 covers the parameters listed here, and all x-oss-*.
	input.OpMetadata.Set(signer.SubResource, []string{"inventory", "inventoryId"})

	output, err := c.oss.InvokeOperation(ctx, input)
	if err != nil {
		return answer{}, op.failed(err)
	}
	defer output.Body.Close()
	body, err := io.ReadAll(&boundedBody{output.Body, maxAnswer})
	return answer{output.Headers, body}, op.failed(err)
}
