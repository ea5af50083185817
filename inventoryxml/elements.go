package inventoryxml

import (
	"strconv"
	"strings"

	"github.com/stocktake/stocktake"
)

type config = stocktake.InventoryConfiguration

// An element is one row of the description of an InventoryConfiguration as XML.
// Elements without a row are containers if the path of a row leads through them,
// and unknown otherwise.
type element struct {
	path     string // below InventoryConfiguration, as errors name it
	repeated bool   // it may be there more than once

	required bool   // it must be there, and is written even if it is empty
	missing  string // EC if it is required and missing; may be empty
	always   bool   // it need not be there, but is written even if it is empty

	// within reports whether the part of a configuration that the element belongs
	// to is there; nil: always.
	within func(*config) bool

	// read takes the text of the element, once for each time that it is there.
	read func(in *decoder, text string)

	// write writes the element, or nothing if the configuration does not have it.
	write func(out *encoder, c *config)
}

const (
	destination = "Destination/OSSBucketDestination/"
	encryption  = destination + "Encryption/"
)

// elements describes an InventoryConfiguration in the order in which it is
// written. The form is one that every SDK reads: Filter and its Prefix are always
// there, since ali-oss reads them unasked; what is not set is left out, since an
// empty number breaks the Java SDK.
//
// Source: OSS API reference, PutBucketInventory, and its error codes
// 0020-00000005 to 0020-00000018.
var elements = [...]element{
	verbatim("Id", func(c *config) *string { return &c.ID }).require("0020-00000005"),
	boolean("IsEnabled", "0020-00000006", func(c *config) *bool { return &c.IsEnabled }).require("0020-00000007"),

	text(destination+"Format", func(c *config) *string { return &c.Destination.Format }).require("0020-00000012"),
	text(destination+"AccountId", func(c *config) *string { return &c.Destination.AccountID }).require("0020-00000013"),
	text(destination+"RoleArn", func(c *config) *string { return &c.Destination.RoleARN }).require("0020-00000014"),
	destinationBucket(destination + "Bucket").require("0020-00000015"),
	verbatim(destination+"Prefix", func(c *config) *string { return &c.Destination.Prefix }),
	sseOSS(encryption + "SSE-OSS"),
	refused(encryption + "SSE-OSS/KeyId"),
	sseKMS(encryption + "SSE-KMS"),
	text(encryption+"SSE-KMS/KeyId", func(c *config) *string { return &c.Destination.Encryption.KeyID }),

	text("Schedule/Frequency", func(c *config) *stocktake.Frequency { return &c.Schedule.Frequency }).require("0020-00000017"),
	number("Schedule/DayOfMonth", "", func(c *config) *int { return &c.Schedule.DayOfMonth }),
	autoDelete("Schedule/AutoDelete"),

	verbatim("Filter/Prefix", func(c *config) *string { return &c.Filter.Prefix }).alwaysWritten(),
	number("Filter/LastModifyBeginTimeStamp", "0020-00000008", func(c *config) *int64 { return &c.Filter.LastModifyBeginTimeStamp }),
	number("Filter/LastModifyEndTimeStamp", "0020-00000009", func(c *config) *int64 { return &c.Filter.LastModifyEndTimeStamp }),
	lowerSizeBound("Filter/LowerSizeBound", "0020-00000010"),
	number("Filter/UpperSizeBound", "0020-00000011", func(c *config) *int64 { return &c.Filter.UpperSizeBound }),
	storageClass("Filter/StorageClass"),

	text("IncludedObjectVersions", func(c *config) *stocktake.IncludedObjectVersions { return &c.IncludedObjectVersions }).require("0020-00000018"),
	fields("OptionalFields/Field", stocktake.ParseOptionalField, func(c *config) *[]stocktake.Field { return &c.OptionalFields }),

	incremental("IncrementalInventory"),
	boolean("IncrementalInventory/IsEnabled", "", func(c *config) *bool { return &c.Incremental.IsEnabled }).require("").ifIncremental(),
	number("IncrementalInventory/Schedule/Frequency", "", func(c *config) *int64 { return &c.Incremental.Frequency }).require("").ifIncremental(),
	fields("IncrementalInventory/OptionalFields/Field", stocktake.ParseIncrementalField, func(c *config) *[]stocktake.Field { return &c.Incremental.OptionalFields }).ifIncremental(),
}

// require makes an element required. ec is the EC if it is missing.
func (e element) require(ec string) element {
	e.required, e.missing = true, ec
	return e
}

func (e element) alwaysWritten() element {
	e.always = true
	return e
}

func (e element) ifIncremental() element {
	e.within = func(c *config) bool { return c.Incremental != nil }
	return e
}

// verbatim returns an element whose text is kept with the blanks around it.
func verbatim(path string, at func(*config) *string) element {
	return element{
		path:  path,
		read:  func(in *decoder, text string) { *at(&in.c) = text },
		write: func(out *encoder, c *config) { out.optional(*at(c)) },
	}
}

// text returns an element around whose text blanks mean nothing.
func text[T ~string](path string, at func(*config) *T) element {
	return element{
		path:  path,
		read:  func(in *decoder, text string) { *at(&in.c) = T(strings.TrimSpace(text)) },
		write: func(out *encoder, c *config) { out.optional(string(*at(c))) },
	}
}

// boolean returns an element whose text is true or false in any case, as Python v1
// sends True. ec is the EC of anything else.
func boolean(path, ec string, at func(*config) *bool) element {
	return element{
		path:  path,
		read:  func(in *decoder, text string) { *at(&in.c) = in.bool(text, ec) },
		write: func(out *encoder, c *config) { out.text(strconv.FormatBool(*at(c))) },
	}
}

// number returns an element whose text is a whole number. 0 is illegal in a
// request; in a configuration it means that there is no value. ec is the EC of a
// text that is not a number.
func number[T int | int64](path, ec string, at func(*config) *T) element {
	return element{
		path: path,
		read: func(in *decoder, text string) {
			n := in.int(text, ec)
			if *at(&in.c) = T(n); n == 0 {
				in.refuseZero()
			}
		},
		write: func(out *encoder, c *config) {
			if n := int64(*at(c)); n != 0 || out.required {
				out.text(strconv.FormatInt(n, 10))
			}
		},
	}
}

func lowerSizeBound(path, ec string) element {
	return element{
		path: path,
		read: func(in *decoder, text string) {
			in.c.Filter.LowerSizeBound, in.c.Filter.HasLowerSizeBound = in.int(text, ec), true
		},
		write: func(out *encoder, c *config) {
			if f := &c.Filter; f.LowerSizeBound != 0 || f.HasLowerSizeBound {
				out.text(strconv.FormatInt(f.LowerSizeBound, 10))
			}
		},
	}
}

// storageClass returns an element whose text is a list of classes with commas and
// no blanks. An empty list means the same as a missing element.
func storageClass(path string) element {
	return element{
		path: path,
		read: func(in *decoder, text string) {
			if !in.c.Filter.SetStorageClasses(strings.TrimSpace(text)) {
				in.refuse(strings.TrimSpace(text))
			}
		},
		write: func(out *encoder, c *config) { out.optional(c.Filter.StorageClasses()) },
	}
}

func fields(path string, parse func(string) (stocktake.Field, bool), at func(*config) *[]stocktake.Field) element {
	return element{
		path: path, repeated: true,
		read: func(in *decoder, text string) {
			f, ok := parse(strings.TrimSpace(text))
			if !ok {
				in.refuse(strings.TrimSpace(text))
			}
			*at(&in.c) = append(*at(&in.c), f)
		},
		write: func(out *encoder, c *config) {
			for _, f := range *at(c) {
				out.text(f.String())
			}
		},
	}
}

func destinationBucket(path string) element {
	return element{
		path: path,
		read: func(in *decoder, text string) {
			name, ok := stocktake.ParseBucketARN(strings.TrimSpace(text))
			if !ok {
				in.refuse(strings.TrimSpace(text))
			}
			in.c.Destination.Bucket = name
		},
		write: func(out *encoder, c *config) { out.text(stocktake.BucketARN(c.Destination.Bucket)) },
	}
}

// sseOSS returns an empty element; some SDKs write a text into it.
func sseOSS(path string) element {
	return element{
		path: path,
		read: func(in *decoder, _ string) { in.c.Destination.Encryption.SSEOSS = true },
		write: func(out *encoder, c *config) {
			if e := &c.Destination.Encryption; e.SSEOSS {
				out.empty()
			}
		},
	}
}

func sseKMS(path string) element {
	return element{
		path: path,
		read: func(in *decoder, _ string) {
			e := &in.c.Destination.Encryption
			if e.SSEKMS = true; e.SSEOSS {
				in.malformed("0020-00000016", "both SSE-OSS and SSE-KMS are there")
			}
		},
		write: func(out *encoder, c *config) {
			if e := &c.Destination.Encryption; e.SSEKMS && !e.SSEOSS {
				out.open()
			}
		},
	}
}

// refused returns an element that some clients send and that is illegal.
func refused(path string) element {
	return element{
		path:  path,
		read:  func(in *decoder, text string) { in.refuse(strings.TrimSpace(text)) },
		write: func(*encoder, *config) {},
	}
}

func autoDelete(path string) element {
	return element{
		path: path,
		read: func(in *decoder, text string) { in.c.Schedule.AutoDelete = new(in.bool(text, "")) },
		write: func(out *encoder, c *config) {
			if d := c.Schedule.AutoDelete; d != nil {
				out.text(strconv.FormatBool(*d))
			}
		},
	}
}

func incremental(path string) element {
	return element{
		path: path,
		read: func(in *decoder, _ string) { in.c.Incremental = &stocktake.IncrementalInventory{} },
		write: func(out *encoder, c *config) {
			if c.Incremental != nil {
				out.open()
			}
		},
	}
}
