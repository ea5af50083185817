package signature_test

import (
	"fmt"
	"net/http"
	"time"

	"github.com/stocktake/stocktake/internal/signature"
)

func ExampleAuth_Verify() {
	now := time.Date(2026, 1, 5, 16, 0, 0, 0, time.UTC)
	target := signature.Target{Bucket: "photos", Key: "cat.jpg"}
	r, err := http.NewRequest("GET", "http://photos.oss-cn-hangzhou.aliyuncs.com/cat.jpg", nil)
	if err != nil {
		panic(err)
	}
	cred := signature.Credentials{ID: "ak", Secret: "sk"}
	if err := signature.Sign(r, target, cred, "cn-hangzhou", signature.V4, now); err != nil {
		panic(err)
	}

	a, err := signature.Parse(r)
	if err != nil {
		panic(err)
	}
	_, err = a.Verify(r, []signature.Target{target}, "sk", now)
	fmt.Println(a.AccessKeyID, a.Scheme, a.Region, err)

	r.Method = "DELETE"
	_, err = a.Verify(r, []signature.Target{target}, "sk", now)
	fmt.Println(err)
	// Output:
	// ak V4 cn-hangzhou <nil>
	// SignatureDoesNotMatch: The request signature we calculated does not match the signature you provided. Check your key and signing method.
}
