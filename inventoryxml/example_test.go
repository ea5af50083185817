package inventoryxml_test

import (
	"errors"
	"fmt"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/inventoryxml"
)

func ExampleParsePut() {
	body := []byte(`<InventoryConfiguration>
	  <Id>daily</Id>
	  <IsEnabled>true</IsEnabled>
	  <Filter><Prefix>photos/</Prefix><StorageClass>Standard,Frozen</StorageClass></Filter>
	  <Destination><OSSBucketDestination>
	    <Format>CSV</Format>
	    <AccountId>1000000000000000</AccountId>
	    <RoleArn>acs:ram::1000000000000000:role/inventory-writer</RoleArn>
	    <Bucket>acs:oss:::reports</Bucket>
	  </OSSBucketDestination></Destination>
	  <Schedule><Frequency>Daily</Frequency></Schedule>
	  <IncludedObjectVersions>Current</IncludedObjectVersions>
	</InventoryConfiguration>`)

	_, err := inventoryxml.ParsePut(body, stocktake.InventoryRules{ID: "daily", AccountID: "1000000000000000"})
	if e, ok := errors.AsType[*stocktake.InvalidArgumentError](err); ok {
		fmt.Println(e.EC, e.Element, e.Value)
	}
	// Output: 0020-00000026 Filter/StorageClass Standard,Frozen
}
