package ram_test

import (
	"fmt"

	"github.com/stocktake/stocktake/internal/ram"
)

func ExampleDirectory_Allowed() {
	d, err := ram.Open("", ram.Root{AccessKeyID: "LTAIroot", Secret: "secret", Account: "1000000000000000"}, ram.Options{})
	if err != nil {
		panic(err)
	}
	if _, err := d.CreateUser("1000000000000000", "alice"); err != nil {
		panic(err)
	}
	if err := d.AttachUserPolicy("1000000000000000", "alice", "AliyunOSSReadOnlyAccess"); err != nil {
		panic(err)
	}
	key, err := d.CreateKey("1000000000000000", "alice")
	if err != nil {
		panic(err)
	}

	_, alice, err := d.Key(key.ID, "") // as the server does with the key of a request
	if err != nil {
		panic(err)
	}
	for _, action := range []string{"oss:GetObject", "oss:PutObject"} {
		fmt.Println(d.Allowed(alice, ram.Request{Action: action, Bucket: "photos", Owner: "1000000000000000", Key: "cat.jpg"}))
	}
	// Output:
	// <nil>
	// acs:ram::1000000000000000:user/alice may not oss:PutObject on acs:oss:*:1000000000000000:photos/cat.jpg: no policy and no ACL allows it
}
