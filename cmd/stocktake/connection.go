package main

import (
	"errors"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss"
	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss/credentials"

	"github.com/stocktake/stocktake/client"
	"github.com/stocktake/stocktake/internal/server"
)

// remote names the OSS that a command uses: a Stocktake server, by default the one on this machine,
// or Alibaba's own.
type remote struct {
	Endpoint  string `group:"Connection" help:"Endpoint of the OSS API." default:"http://127.0.0.1:9000"`
	Region    string `group:"Connection" help:"Region that requests are signed for." default:"cn-hangzhou"`
	PathStyle bool   `group:"Connection" help:"Put the bucket into the path instead of the host name. Always on for IP addresses and localhost."`
	Data      string `group:"Connection" help:"Data folder of a local server. Its root key is used if OSS_ACCESS_KEY_ID and OSS_ACCESS_KEY_SECRET are not set." default:"./stocktake-data" type:"path"`
}

// key finds the access key to sign with.
func (r *remote) key() (server.AccessKey, error) {
	if k, ok, err := envKey(); ok || err != nil {
		return k, err
	}
	k, err := server.ReadRootKey(server.Folder(r.Data))
	if errors.Is(err, fs.ErrNotExist) {
		return k, usagef("no access key: set OSS_ACCESS_KEY_ID and OSS_ACCESS_KEY_SECRET, or name a local server's folder with --data (there is no %s)", server.Folder(r.Data).RootKey())
	}
	if errors.Is(err, os.ErrPermission) {
		return k, usagef("no access key: %v", err)
	}
	return k, err
}

// ossClient returns the official SDK's client of the endpoint.
func (r *remote) ossClient() (*oss.Client, error) {
	k, err := r.key()
	if err != nil {
		return nil, err
	}
	return newOSSClient(r.Endpoint, r.Region, r.PathStyle, k)
}

func (r *remote) client() (*client.Client, error) {
	c, err := r.ossClient()
	if err != nil {
		return nil, err
	}
	return client.New(c), nil
}

// admin returns a client of the paths that only the account may use.
func (r *remote) admin() (*client.Admin, error) {
	k, err := r.key()
	if err != nil {
		return nil, err
	}
	if _, err := endpointURL(r.Endpoint); err != nil {
		return nil, err
	}
	return &client.Admin{Endpoint: r.Endpoint, Region: r.Region, AccessKeyID: k.ID, AccessKeySecret: k.Secret, SecurityToken: k.Token}, nil
}

// refused explains an error of a client.Admin. Input that the server refuses is a
// usageError.
func (r *remote) refused(err error) error {
	if answer, ok := errors.AsType[*client.AdminError](err); ok {
		if answer.StatusCode == http.StatusBadRequest {
			return usageError{err}
		}
		return err
	}
	return unreachable(err, "ask "+r.Endpoint)
}

// endpointURL parses an endpoint, which without a scheme means https.
func endpointURL(endpoint string) (*url.URL, error) {
	raw := endpoint
	if !strings.Contains(raw, "://") {
		raw = "https://" + raw // what the SDK takes it for
	}
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, usagef("--endpoint %q is not a URL such as http://127.0.0.1:9000 or oss-cn-hangzhou.aliyuncs.com", endpoint)
	}
	return u, nil
}

func newOSSClient(endpoint, region string, pathStyle bool, k server.AccessKey) (*oss.Client, error) {
	u, err := endpointURL(endpoint)
	if err != nil {
		return nil, err
	}
	host := u.Hostname()
	cfg := oss.LoadDefaultConfig().
		WithCredentialsProvider(credentials.NewStaticCredentialsProvider(k.ID, k.Secret, k.Token)).
		WithEndpoint(endpoint).
		WithRegion(region).
		WithHttpClient(client.NewHTTPClient()).
		WithUsePathStyle(pathStyle || isLocalHost(host))
	return oss.NewClient(cfg), nil
}

// isLocalHost reports whether a host has no names below it, so that a bucket
// cannot be part of its name.
func isLocalHost(host string) bool { return host == "localhost" || net.ParseIP(host) != nil }
