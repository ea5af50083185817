package sts_test

import (
	"bytes"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss"
	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss/credentials"

	"github.com/stocktake/stocktake/internal/bucket"
	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/ossapi"
	"github.com/stocktake/stocktake/internal/ram"
	"github.com/stocktake/stocktake/internal/signature"
	"github.com/stocktake/stocktake/internal/store"
	"github.com/stocktake/stocktake/internal/sts"
)

// From AssumeRole to an object, on one listener, with the official SDK: the
// temporary key has only the rights of both the role and the session, until it
// expires.
func TestTokenAtOSS(t *testing.T) {
	now := time.Now()
	clock := func() time.Time { return now }
	log := slog.New(slog.DiscardHandler)
	access, err := ram.Open("", ram.Root{AccessKeyID: rootID, Secret: rootPass, Account: account}, ram.Options{Now: clock, Log: log})
	check(t, err)
	_, err = access.CreateRole(account, "reader", nil, time.Hour)
	check(t, err)
	check(t, access.AttachRolePolicy(account, "reader", "AliyunOSSReadOnlyAccess"))
	st, err := store.Open(t.Context(), t.TempDir(), store.Options{Now: clock, Log: log})
	check(t, err)
	defer func() { check(t, st.Close()) }()

	objects := ossapi.New(ossapi.Config{Buckets: bucket.New(st, bucket.Options{}), Store: st, Access: access, Region: "cn-hangzhou", Now: clock, Log: log})
	assume := sts.New(access, sts.Options{Now: clock, Log: log})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if sts.Is(r) {
			assume.ServeHTTP(w, r)
			return
		}
		objects.ServeHTTP(w, r)
	}))
	defer srv.Close()

	client := func(p credentials.CredentialsProvider, version oss.SignatureVersionType) *oss.Client {
		return oss.NewClient(oss.LoadDefaultConfig().WithCredentialsProvider(p).WithRegion("cn-hangzhou").WithEndpoint(srv.URL).
			WithRetryMaxAttempts(1).WithHttpClient(srv.Client()).WithSignatureVersion(version))
	}
	root := client(credentials.NewStaticCredentialsProvider(rootID, rootPass), oss.SignatureVersionV4)
	photos := object.NewBucket("photos", account, now)
	check(t, st.CreateBucket(t.Context(), object.ByService("test"), photos, false))
	for _, key := range []string{"public/cat", "private/dog"} {
		_, err = root.PutObject(t.Context(), &oss.PutObjectRequest{Bucket: new("photos"), Key: &key, Body: strings.NewReader("meow")})
		check(t, err)
	}

	var w world
	w.now = now
	w.handler = srv.Config.Handler
	p := params("Policy", `{"Version":"1","Statement":[{"Effect":"Allow","Action":"oss:*","Resource":"acs:oss:*:*:photos/public/*"}]}`)
	r := post(nil, w.sign("POST", p, signature.Credentials{ID: rootID, Secret: rootPass}))
	a := w.send(t, r)
	if a.status != 200 {
		t.Fatal(a.body)
	}
	c := a.Credentials
	for _, version := range []oss.SignatureVersionType{oss.SignatureVersionV1, oss.SignatureVersionV4} {
		session := client(credentials.NewStaticCredentialsProvider(c.AccessKeyID, c.AccessKeySecret, c.SecurityToken), version)
		read := func(key string) error {
			_, err := session.HeadObject(t.Context(), &oss.HeadObjectRequest{Bucket: new("photos"), Key: &key})
			return err
		}
		now = w.now
		check(t, read("public/cat"))
		refused(t, read("private/dog"), 403, "AccessDenied") // the session's policy
		_, err = session.PutObject(t.Context(), &oss.PutObjectRequest{Bucket: new("photos"), Key: new("public/cat"), Body: bytes.NewReader(nil)})
		refused(t, err, 403, "AccessDenied") // the role's
		now = w.now.Add(61 * time.Minute)
		refused(t, read("public/cat"), 403, "")
	}
	now = w.now.Add(61 * time.Minute)
	late, err := http.NewRequestWithContext(t.Context(), "GET", srv.URL+"/photos/public/cat", nil)
	check(t, err)
	check(t, signature.Sign(late, signature.Target{Bucket: "photos", Key: "public/cat"},
		signature.Credentials{ID: c.AccessKeyID, Secret: c.AccessKeySecret, Token: c.SecurityToken}, "cn-hangzhou", signature.V4, now))
	res, err := srv.Client().Do(late)
	check(t, err)
	defer res.Body.Close()
	var text bytes.Buffer
	_, err = text.ReadFrom(res.Body)
	check(t, err)
	if !strings.Contains(text.String(), "<Code>SecurityTokenExpired</Code>") {
		t.Errorf("%d\n%s", res.StatusCode, &text)
	}
	if _, err := url.Parse(a.Recommend); err != nil {
		t.Error(err)
	}
}

func refused(t *testing.T, err error, status int, code string) {
	t.Helper()
	e, ok := errors.AsType[*oss.ServiceError](err)
	if !ok || e.StatusCode != status || code != "" && e.Code != code {
		t.Errorf("%v, want %d %s", err, status, code)
	}
}
