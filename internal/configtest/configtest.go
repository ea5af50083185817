// Package configtest provides inventory configurations for tests.
package configtest

import (
	"strings"
	"unicode"

	"pgregory.net/rapid"

	"github.com/stocktake/stocktake"
)

// Account owns the buckets of the configurations here.
const Account = "1000000000000000"

// Rules returns the rules for a request that puts a configuration with the id.
func Rules(id string) stocktake.InventoryRules {
	return stocktake.InventoryRules{ID: id, AccountID: Account}
}

// Minimal returns a configuration with only the required fields.
func Minimal() stocktake.InventoryConfiguration {
	return stocktake.InventoryConfiguration{
		ID: "daily", IsEnabled: true,
		Destination: stocktake.Destination{
			Format: "CSV", AccountID: Account, RoleARN: "acs:ram::" + Account + ":role/inventory-writer", Bucket: "reports",
		},
		Schedule:               stocktake.Schedule{Frequency: stocktake.Daily},
		IncludedObjectVersions: stocktake.CurrentVersions,
	}
}

// Full returns a configuration with all fields that can be combined.
func Full() stocktake.InventoryConfiguration {
	c := Minimal()
	c.ID = "every: thing & <more>"
	c.Filter = stocktake.Filter{
		Prefix: "写真/ a&b<c>\t\r\n", LastModifyBeginTimeStamp: 1637883649, LastModifyEndTimeStamp: 2000000000,
		UpperSizeBound: stocktake.MaxObjectSize, HasLowerSizeBound: true,
		StorageClass: []stocktake.StorageClass{stocktake.Archive, stocktake.IA, stocktake.Standard},
	}
	c.Destination.Prefix = "inv/2026=日 +~_.-"
	c.Destination.Encryption = stocktake.Encryption{SSEKMS: true, KeyID: "9468da86-3509-4f8d-a61e-6eab1eac0001"}
	c.Schedule = stocktake.Schedule{Frequency: stocktake.Monthly, DayOfMonth: 31}
	c.IncludedObjectVersions = stocktake.AllVersions
	for f := stocktake.FieldLastAccessTimestamp; f >= stocktake.FieldSize; f-- {
		c.OptionalFields = append(c.OptionalFields, f)
	}
	c.Incremental = &stocktake.IncrementalInventory{
		IsEnabled: true, Frequency: 600,
		OptionalFields: []stocktake.Field{stocktake.FieldSequenceNumber, stocktake.FieldRecordType, stocktake.FieldCRC64},
	}
	return c
}

// Samples returns valid configurations that together have a value for every
// field.
func Samples() []stocktake.InventoryConfiguration {
	once := Minimal()
	once.Schedule = stocktake.Schedule{Frequency: stocktake.Once, AutoDelete: new(false)}
	once.Destination.Encryption.SSEOSS = true
	once.Destination.Format = stocktake.FormatParquet
	once.Filter = stocktake.Filter{AllClasses: true, LowerSizeBound: 1024}
	return []stocktake.InventoryConfiguration{Minimal(), Full(), once}
}

// Any returns a generator of valid configurations, not all of them normalized.
func Any() *rapid.Generator[stocktake.InventoryConfiguration] {
	return rapid.Custom(func(t *rapid.T) stocktake.InventoryConfiguration {
		text := func(label string, most int) string {
			return rapid.StringOfN(xmlRunes, 0, most, -1).Draw(t, label)
		}
		either := rapid.Bool()
		c := Minimal()
		c.ID = rapid.StringOfN(xmlRunes.Filter(func(r rune) bool { return r != '/' && !unicode.IsControl(r) }), 1, stocktake.MaxInventoryIDLength, -1).Filter(stocktake.ValidInventoryID).Draw(t, "id")
		c.IsEnabled = either.Draw(t, "enabled")
		c.IncludedObjectVersions = rapid.SampledFrom([]stocktake.IncludedObjectVersions{stocktake.AllVersions, stocktake.CurrentVersions}).Draw(t, "versions")

		f := &c.Filter
		f.Prefix = text("prefix", 250)
		f.LastModifyBeginTimeStamp = orZero(t, rapid.Int64Range(stocktake.MinFilterTime, stocktake.MaxFilterTime))
		f.LastModifyEndTimeStamp = orZero(t, rapid.Int64Range(max(stocktake.MinFilterTime, f.LastModifyBeginTimeStamp), stocktake.MaxFilterTime))
		f.UpperSizeBound = orZero(t, rapid.Int64Range(1, stocktake.MaxObjectSize))
		most := f.UpperSizeBound
		if most == 0 {
			most = stocktake.MaxObjectSize
		}
		f.LowerSizeBound = orZero(t, rapid.Int64Range(0, most))
		f.HasLowerSizeBound = either.Draw(t, "zero")
		if f.AllClasses = either.Draw(t, "all"); !f.AllClasses {
			f.StorageClass = rapid.SliceOfN(rapid.Custom(StorageClass), 0, 6).Draw(t, "classes")
		}

		c.Destination.Prefix = strings.TrimLeft(rapid.StringMatching(`[a-zA-Z0-9\-_./=+~ é日]{0,120}`).Draw(t, "destination prefix"), "/")
		c.Destination.Format = rapid.SampledFrom([]string{stocktake.FormatCSV, stocktake.FormatParquet}).Draw(t, "format")
		switch rapid.IntRange(0, 3).Draw(t, "encryption") {
		case 1:
			c.Destination.Encryption.SSEOSS = true
		case 2:
			c.Destination.Encryption.SSEKMS = true
		case 3:
			c.Destination.Encryption = stocktake.Encryption{SSEKMS: true, KeyID: rapid.StringMatching(`[a-z0-9&<>-]{1,40}`).Draw(t, "key")}
		}
		c.Schedule.Frequency = rapid.SampledFrom([]stocktake.Frequency{stocktake.Daily, stocktake.Weekly, stocktake.Monthly, stocktake.Once}).Draw(t, "frequency")
		switch c.Schedule.Frequency {
		case stocktake.Monthly:
			c.Schedule.DayOfMonth = rapid.IntRange(0, 31).Draw(t, "day")
		case stocktake.Once:
			c.Schedule.AutoDelete = rapid.Ptr(either, true).Draw(t, "delete")
		}
		c.OptionalFields = fields(t, stocktake.ParseOptionalField)
		if either.Draw(t, "incremental") {
			c.Incremental = &stocktake.IncrementalInventory{
				IsEnabled: either.Draw(t, "on"), Frequency: stocktake.IncrementalWindow, OptionalFields: fields(t, stocktake.ParseIncrementalField),
			}
		}
		return c
	})
}

// xmlRunes generates every kind of character that XML 1.0 can carry.
var xmlRunes = rapid.OneOf(
	rapid.SampledFrom([]rune("\t\n\r &<>'\"\\/%]\uFFFD😀é日")),
	rapid.Rune().Filter(func(r rune) bool {
		return (r >= ' ' || r == '\t' || r == '\n' || r == '\r') && r != 0xFFFE && r != 0xFFFF
	}),
)

func orZero(t *rapid.T, g *rapid.Generator[int64]) int64 {
	return rapid.OneOf(rapid.Just[int64](0), g).Draw(t, "bound")
}

func fields(t *rapid.T, legal func(string) (stocktake.Field, bool)) []stocktake.Field {
	var all []stocktake.Field
	for f := stocktake.FieldBucket; f.String() != ""; f++ {
		if _, ok := legal(f.String()); ok {
			all = append(all, f)
		}
	}
	return rapid.SliceOfN(rapid.SampledFrom(all), 0, 20).Draw(t, "fields")
}
