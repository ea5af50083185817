package console

import (
	"slices"
	"strconv"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/human"
)

// A formField is one field of the form of a configuration. It is named after the
// element of the API's document, so that an error of the API can be shown at the
// field.
type formField struct {
	Element string // path below InventoryConfiguration
	Label   string
	Help    string
	Kind    string // text, choice, many, flag, size, time
	Options []formOption
	Group   string // heading above it; empty: the same as the previous field
	Unless  string // note on when it has no effect, such as "with Monthly only"
	Text    string // example shown while it is empty
}

// A formOption is one value of a choice.
type formOption struct{ Value, Label, Help string }

const destinationElement = "Destination/OSSBucketDestination/"

// formFields are the fields in the order of the form.
var formFields = []formField{
	{
		Group: "Report", Element: "Id", Label: "Id", Kind: "text", Text: "daily",
		Help: "The name of the configuration, unique in the bucket. It also names the folder of the reports, so it has no “/”.",
	},
	{
		Element: "IncludedObjectVersions", Label: "Versions", Kind: "choice",
		Help: "Which versions of each object a report lists.",
		Options: []formOption{
			{"Current", "Current versions", "one row for each object, as a listing shows it"},
			{"All", "All versions", "also earlier versions and delete markers, with the columns VersionId, IsLatest and IsDeleteMarker"},
		},
	},
	{
		Element: destinationElement + "Format", Label: "File format", Kind: "choice",
		Help: "How the files of a report are written.",
		Options: []formOption{
			{stocktake.FormatCSV, "CSV", "gzip, keys percent-encoded; the format of OSS"},
			{stocktake.FormatParquet, "Parquet", "columns, for DuckDB, Athena, Spark and Trino"},
		},
	},
	{
		Element: "OptionalFields/Field", Label: "Columns", Kind: "many", Options: columnOptions(),
		Help: "What a row says about an object besides bucket and key. More columns make larger files; totals by class and size need StorageClass and Size.",
	},
	{
		Group: "Schedule", Element: "Schedule/Frequency", Label: "How often", Kind: "choice",
		Help: "When a run is due. The first run starts at once.",
		Options: []formOption{
			{string(stocktake.Daily), "Daily", "every day"},
			{string(stocktake.Weekly), "Weekly", "every seven days"},
			{string(stocktake.Monthly), "Monthly", "on a day of the month, or every 30 days"},
			{string(stocktake.Once), "Once", "one run only"},
		},
	},
	{Element: "Schedule/DayOfMonth", Label: "Day of the month", Kind: "text", Unless: "Monthly only", Text: "1 to 31", Help: "In shorter months the last day. Empty means every 30 days."},
	{Element: "Schedule/AutoDelete", Label: "Delete the configuration after its run", Kind: "flag", Unless: "Once only", Help: "The report stays."},
	{Element: "IsEnabled", Label: "Enabled", Kind: "flag", Help: "A configuration that is not enabled is kept, but never runs by itself."},
	{
		Group: "Destination", Element: destinationElement + "Bucket", Label: "Bucket for reports", Kind: "text", Text: "reports",
		Help: "It belongs to the same account and region. It may be the bucket itself.",
	},
	{Element: destinationElement + "Prefix", Label: "Path in it", Kind: "text", Text: "inventory", Help: "Reports go below it, to PATH/BUCKET/ID/. Without a “/” at the end: one is added."},
	{Element: destinationElement + "AccountId", Label: "Account", Kind: "text", Help: "The id of the account that owns both buckets."},
	{Element: destinationElement + "RoleArn", Label: "Role", Kind: "text", Text: "acs:ram::UID:role/NAME", Help: "The role with whose rights runs list the bucket and write reports."},
	{
		Element: destinationElement + "Encryption", Label: "Encryption", Kind: "choice",
		Help: "How the files of a report are encrypted at rest.",
		Options: []formOption{
			{"", "As the bucket has it", "the destination bucket's own setting"},
			{"SSE-OSS", "Keys of the service", "AES-256 (SSE-OSS)"},
			{"SSE-KMS", "A KMS key", "SSE-KMS, with the key below or the default one"},
		},
	},
	{Element: destinationElement + "Encryption/SSE-KMS/KeyId", Label: "KMS key", Kind: "text", Unless: "a KMS key only", Help: "The id of the key. Empty means the default key of the service."},
	{
		Group: "Changes", Element: "IncrementalInventory/IsEnabled", Label: "Also report what changes, every ten minutes", Kind: "flag",
		Help: "Incremental reports list each change of the bucket once, with who made it. Only buckets of the embedded store tell what changes in them.",
	},
	{
		Element: "IncrementalInventory/OptionalFields/Field", Label: "Columns of changes", Kind: "many", Options: changeOptions(), Unless: "with changes only",
		Help: "What a row says about a change besides bucket and key.",
	},
	{Group: "Filter", Element: "Filter/Prefix", Label: "Keys that start with", Kind: "text", Text: "photos/", Help: "Only these are listed, which also makes runs shorter. Empty means all."},
	{
		Element: "Filter/StorageClass", Label: "Storage classes", Kind: "many", Options: classOptions(),
		Help: "Only objects of these classes. None ticked means all.",
	},
	{Element: "Filter/LowerSizeBound", Label: "Smallest size", Kind: "size", Text: "10 MiB", Help: "Bytes, or a number with KiB, MiB, GiB or TiB; the bound is included."},
	{Element: "Filter/UpperSizeBound", Label: "Largest size", Kind: "size", Text: "1 TiB", Help: "The same."},
	{Element: "Filter/LastModifyBeginTimeStamp", Label: "Modified from", Kind: "time", Help: "A time in UTC; the second is included."},
	{Element: "Filter/LastModifyEndTimeStamp", Label: "Modified to", Kind: "time", Help: "The same."},
}

// changeOptions returns the columns that a report of changes may have.
func changeOptions() (all []formOption) {
	for _, f := range stocktake.Fields() {
		if f.Column().Incremental == stocktake.Optional {
			all = append(all, formOption{f.String(), f.String(), columnHelp[f]})
		}
	}
	return all
}

// columnHelp describes the columns.
var columnHelp = map[stocktake.Field]string{
	stocktake.FieldSize:                "bytes",
	stocktake.FieldLastModifiedDate:    "when the object was written",
	stocktake.FieldETag:                "checksum of the content, for objects that were uploaded whole",
	stocktake.FieldStorageClass:        "Standard, IA, Archive, ...",
	stocktake.FieldIsMultipartUploaded: "whether it was uploaded in parts",
	stocktake.FieldEncryptionStatus:    "whether it is encrypted at rest",
	stocktake.FieldTransitionTime:      "when a lifecycle rule moved it",
	stocktake.FieldObjectACL:           "its own access rule",
	stocktake.FieldTaggingCount:        "how many tags it has",
	stocktake.FieldObjectType:          "Normal, Multipart, Appendable or Symlink",
	stocktake.FieldCRC64:               "CRC-64 of the content",
	stocktake.FieldLastAccessDate:      "when it was read last, if that is tracked",
	stocktake.FieldLastAccessTimestamp: "the same in Unix seconds",
	stocktake.FieldSequenceNumber:      "the order of the changes of a key",
	stocktake.FieldRecordType:          "CREATE, UPDATE_METADATA or DELETE",
	stocktake.FieldRecordTimestamp:     "when",
	stocktake.FieldRequester:           "who",
	stocktake.FieldRequestID:           "by which request",
	stocktake.FieldSourceIP:            "from where",
}

// columnOptions returns the columns that a report may have, from the column table.
func columnOptions() (all []formOption) {
	for _, f := range stocktake.Fields() {
		if f.Column().Full == stocktake.Optional {
			all = append(all, formOption{f.String(), f.String(), columnHelp[f]})
		}
	}
	return all
}

func classOptions() (all []formOption) {
	for c := range stocktake.StorageClass(stocktake.NumStorageClasses) {
		all = append(all, formOption{Value: c.String(), Label: c.String()})
	}
	return all
}

// fieldsOf returns formFields with the chosen storage classes, and with those of S3
// if the bucket has them.
func fieldsOf(chosen []string, s3 bool) []formField {
	classes := classOptions()
	if s3 {
		for c := stocktake.S3Standard; c <= stocktake.S3FSxONTAP; c++ {
			classes = append(classes, formOption{Value: c.String(), Label: c.String()})
		}
	}
	for _, name := range chosen {
		if !slices.ContainsFunc(classes, func(o formOption) bool { return o.Value == name }) {
			classes = append(classes, formOption{Value: name, Label: human.Visible(name)})
		}
	}
	fields := slices.Clone(formFields)
	for i := range fields {
		if fields[i].Element == classElement {
			fields[i].Options = classes
		}
	}
	return fields
}

const classElement = "Filter/StorageClass"

// formValues returns the values of the fields for a configuration.
func formValues(c *stocktake.InventoryConfiguration) map[string][]string {
	m := map[string][]string{}
	set := func(element, value string) {
		if value != "" {
			m[element] = []string{value}
		}
	}
	number := func(element string, n int64, there bool) {
		if there {
			set(element, strconv.FormatInt(n, 10))
		}
	}
	set("Id", c.ID)
	set("IncludedObjectVersions", string(c.IncludedObjectVersions))
	set(destinationElement+"Format", c.Destination.Format)
	for _, f := range c.OptionalFields {
		m["OptionalFields/Field"] = append(m["OptionalFields/Field"], f.String())
	}
	set("Schedule/Frequency", string(c.Schedule.Frequency))
	number("Schedule/DayOfMonth", int64(c.Schedule.DayOfMonth), c.Schedule.DayOfMonth != 0)
	if c.Schedule.AutoDelete != nil && *c.Schedule.AutoDelete {
		set("Schedule/AutoDelete", "true")
	}
	if c.IsEnabled {
		set("IsEnabled", "true")
	}
	set(destinationElement+"Bucket", c.Destination.Bucket)
	set(destinationElement+"Prefix", c.Destination.Prefix)
	set(destinationElement+"AccountId", c.Destination.AccountID)
	set(destinationElement+"RoleArn", c.Destination.RoleARN)
	switch e := c.Destination.Encryption; {
	case e.SSEOSS:
		set(destinationElement+"Encryption", "SSE-OSS")
	case e.SSEKMS:
		set(destinationElement+"Encryption", "SSE-KMS")
		set(destinationElement+"Encryption/SSE-KMS/KeyId", e.KeyID)
	}
	if i := c.Incremental; i != nil {
		if i.IsEnabled {
			set("IncrementalInventory/IsEnabled", "true")
		}
		for _, f := range i.OptionalFields {
			m["IncrementalInventory/OptionalFields/Field"] = append(m["IncrementalInventory/OptionalFields/Field"], f.String())
		}
	}
	set("Filter/Prefix", c.Filter.Prefix)
	for _, class := range c.Filter.StorageClass {
		m["Filter/StorageClass"] = append(m["Filter/StorageClass"], class.String())
	}
	number("Filter/LowerSizeBound", c.Filter.LowerSizeBound, c.Filter.LowerSizeBound != 0 || c.Filter.HasLowerSizeBound)
	number("Filter/UpperSizeBound", c.Filter.UpperSizeBound, c.Filter.UpperSizeBound != 0)
	set("Filter/LastModifyBeginTimeStamp", inputTime(c.Filter.LastModifyBeginTimeStamp))
	set("Filter/LastModifyEndTimeStamp", inputTime(c.Filter.LastModifyEndTimeStamp))
	return m
}
