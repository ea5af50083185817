package signature_test

import (
	"net/url"
	"testing"
	"time"

	"github.com/stocktake/stocktake/internal/signature"
)

// The example of the documentation of RPC signatures.
//
// Source: Alibaba Cloud, ECS API reference, "Request signatures", DescribeRegions
// with testid and testsecret.
func TestRPCVector(t *testing.T) {
	params, err := url.ParseQuery("Timestamp=2016-02-23T12%3A46%3A24Z&Format=XML&AccessKeyId=testid&Action=DescribeRegions" +
		"&SignatureMethod=HMAC-SHA1&SignatureNonce=3ee8c1b8-83d3-44af-a94f-4e0ad82fd6cf&Version=2014-05-26&SignatureVersion=1.0" +
		"&Signature=OLeaidS1JvxuMvnyHOwuJ%2BuX5qY%3D")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2016, 2, 23, 12, 46, 24, 0, time.UTC)
	if err := verifyRPC("GET", params, "testsecret", now); err != nil {
		t.Errorf("%v\n%+v", err, err)
	}
	if err := verifyRPC("POST", params, "testsecret", now); code(err) != signature.SignatureDoesNotMatch {
		t.Errorf("another method: %v", err)
	}
	if err := verifyRPC("GET", params, "testsecret", now.Add(time.Hour)); code(err) != signature.InvalidTimestampStale {
		t.Errorf("an hour later: %v", err)
	}
}

func TestRPCRefused(t *testing.T) {
	now := at("20260105T160000Z")
	for _, tt := range []struct {
		name, key string
		values    []string
		code      signature.Code
	}{
		{"no key", "AccessKeyId", nil, signature.MissingParameter},
		{"no nonce", "SignatureNonce", nil, signature.MissingParameter},
		{"other method", "SignatureMethod", []string{"MD5"}, signature.UnsupportedSignature},
		{"other version", "SignatureVersion", []string{"2.0"}, signature.UnsupportedSignature},
		{"bad time", "Timestamp", []string{"now"}, signature.InvalidTimestamp},
		{"twice", "RoleArn", []string{"a", "b"}, signature.InvalidArgument},
		{"changed", "RoleArn", []string{"c"}, signature.SignatureDoesNotMatch},
	} {
		params := url.Values{"RoleArn": {"acs:ram::1:role/a b*~"}, "Action": {"AssumeRole"}}
		signature.SignRPC("GET", params, signature.Credentials{ID: "ak", Secret: "sk", Token: "t"}, now, "n")
		if err := verifyRPC("GET", params, "sk", now); err != nil {
			t.Fatalf("as signed: %v", err)
		}
		params[tt.key] = tt.values
		if err := verifyRPC("GET", params, "sk", now); code(err) != tt.code {
			t.Errorf("%s: %v, want %s", tt.name, err, tt.code)
		}
	}
}

// verifyRPC parses and verifies params.
func verifyRPC(method string, params url.Values, secret string, now time.Time) error {
	c, err := signature.ParseRPC(method, params)
	if err != nil {
		return err
	}
	return c.Verify(secret, now)
}
