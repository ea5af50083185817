package configtest

import (
	"pgregory.net/rapid"

	"github.com/stocktake/stocktake"
)

// longest is the longest possible name of a storage class.
const longest = "A-NAME-OF-FORTY-BYTES.THE-LONGEST_THERE:"

// StorageClass draws a class of OSS, of S3, or one that a store defines itself.
func StorageClass(t *rapid.T) stocktake.StorageClass {
	switch rapid.IntRange(0, 9).Draw(t, "kind of class") {
	case 0:
		return stocktake.StorageClass(rapid.Uint8Range(uint8(stocktake.S3Standard), uint8(stocktake.S3FSxONTAP)).Draw(t, "class"))
	case 1:
		c, ok := stocktake.FilterStorageClass(rapid.SampledFrom([]string{"COLD", longest}).Draw(t, "class"))
		if !ok {
			t.Fatal("a storage class that is made up is refused")
		}
		return c
	}
	return stocktake.StorageClass(rapid.Uint8Range(0, stocktake.NumStorageClasses-1).Draw(t, "class"))
}
