package sts_test

import (
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stocktake/stocktake/internal/ram"
	"github.com/stocktake/stocktake/internal/sts"
)

// For any input, the answer is a well-formed error.
func FuzzStranger(f *testing.F) {
	access, err := ram.Open("", ram.Root{AccessKeyID: rootID, Secret: rootPass, Account: account}, ram.Options{})
	if err != nil {
		f.Fatal(err)
	}
	w := world{handler: sts.New(access, sts.Options{Log: slog.New(slog.DiscardHandler)})}
	f.Add("Action=AssumeRole&Version=2015-04-01", "RoleArn=%41", "application/x-www-form-urlencoded")
	f.Add("Action=AssumeRole&Version=2015-04-01&AccessKeyId=root&Signature=x&SignatureMethod=HMAC-SHA1&SignatureVersion=1.0&SignatureNonce=%00&Timestamp=2026-01-05T12:00:00Z&Format=JSON", "", "")
	f.Add("%zz&;&=&&Format=XML", "\xff", "application/x-www-form-urlencoded;charset=\"")
	f.Fuzz(func(t *testing.T, query, form, kind string) {
		r := httptest.NewRequest("POST", "http://localhost/", strings.NewReader(form))
		r.URL.RawQuery = query
		r.Header.Set("Content-Type", kind)
		sts.Is(r)
		if a := w.send(t, r); a.status < 400 || a.status > 499 || a.Code == "" || a.Credentials.AccessKeyID != "" {
			t.Errorf("%d\n%s", a.status, a.body)
		}
	})
}
