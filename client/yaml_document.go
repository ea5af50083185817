package client

import (
	"cmp"
	"fmt"

	"github.com/stocktake/stocktake"
)

// A document is a configuration in the form of YAML.
type document struct {
	ID                     text         `yaml:"id"`
	IsEnabled              bool         `yaml:"isEnabled"`
	Filter                 filter       `yaml:"filter,omitempty"`
	Destination            destination  `yaml:"destination"`
	Schedule               schedule     `yaml:"schedule"`
	IncludedObjectVersions text         `yaml:"includedObjectVersions"`
	OptionalFields         names        `yaml:"optionalFields,omitempty,flow"`
	Incremental            *incremental `yaml:"incrementalInventory,omitempty"`
}

type filter struct {
	Prefix                   text    `yaml:"prefix,omitempty"`
	LastModifyBeginTimeStamp moment  `yaml:"lastModifyBeginTimeStamp,omitempty"`
	LastModifyEndTimeStamp   moment  `yaml:"lastModifyEndTimeStamp,omitempty"`
	LowerSizeBound           *number `yaml:"lowerSizeBound,omitempty"`
	UpperSizeBound           number  `yaml:"upperSizeBound,omitempty"`
	StorageClass             names   `yaml:"storageClass,omitempty,flow"`
}

type destination struct {
	Format     text       `yaml:"format"`
	AccountID  text       `yaml:"accountId"`
	RoleARN    text       `yaml:"roleArn"`
	Bucket     text       `yaml:"bucket"`
	Prefix     text       `yaml:"prefix,omitempty"`
	Encryption encryption `yaml:"encryption,omitempty"`
}

type encryption struct {
	SSEOSS sseOSS `yaml:"sseOss,omitempty"`
	SSEKMS sseKMS `yaml:"sseKms,omitempty"`
	KeyID  text   `yaml:"keyId,omitempty"` // or within sseKms
}

type schedule struct {
	Frequency  text   `yaml:"frequency"`
	DayOfMonth number `yaml:"dayOfMonth,omitempty"`
	AutoDelete *bool  `yaml:"autoDelete,omitempty"`
}

type incremental struct {
	IsEnabled      *bool   `yaml:"isEnabled"`
	Frequency      *number `yaml:"frequency"`
	OptionalFields names   `yaml:"optionalFields,omitempty,flow"`
}

// configuration returns the configuration that d describes.
func (d *document) configuration() (c stocktake.InventoryConfiguration, err error) {
	c.ID, c.IsEnabled = string(d.ID), d.IsEnabled
	c.IncludedObjectVersions = stocktake.IncludedObjectVersions(d.IncludedObjectVersions)
	c.Schedule = stocktake.Schedule{
		Frequency: stocktake.Frequency(d.Schedule.Frequency), DayOfMonth: int(d.Schedule.DayOfMonth), AutoDelete: d.Schedule.AutoDelete,
	}
	c.Destination = d.Destination.destination()
	if c.Filter, err = d.Filter.filter(); err != nil {
		return c, err
	}
	if c.OptionalFields, err = d.OptionalFields.fields(stocktake.ParseOptionalField); err != nil {
		return c, err
	}
	if inc := d.Incremental; inc != nil {
		c.Incremental = &stocktake.IncrementalInventory{IsEnabled: true, Frequency: stocktake.IncrementalWindow}
		if inc.IsEnabled != nil {
			c.Incremental.IsEnabled = *inc.IsEnabled
		}
		if inc.Frequency != nil {
			c.Incremental.Frequency = int64(*inc.Frequency)
		}
		if c.Incremental.OptionalFields, err = inc.OptionalFields.fields(stocktake.ParseIncrementalField); err != nil {
			return c, err
		}
	}
	return c.Normalized(), nil
}

func (d *destination) destination() stocktake.Destination {
	dst := stocktake.Destination{
		Format: string(d.Format), AccountID: string(d.AccountID), RoleARN: string(d.RoleARN), Bucket: string(d.Bucket), Prefix: string(d.Prefix),
		Encryption: stocktake.Encryption{
			SSEOSS: bool(d.Encryption.SSEOSS), SSEKMS: d.Encryption.SSEKMS.on, KeyID: string(cmp.Or(d.Encryption.SSEKMS.keyID, d.Encryption.KeyID)),
		},
	}
	if uid, _, ok := stocktake.ParseRoleARN(dst.RoleARN); ok {
		dst.AccountID = cmp.Or(dst.AccountID, uid)
	}
	if name, ok := stocktake.ParseBucketARN(dst.Bucket); ok {
		dst.Bucket = name
	}
	return dst
}

func (d *filter) filter() (stocktake.Filter, error) {
	f := stocktake.Filter{
		Prefix: string(d.Prefix), LastModifyBeginTimeStamp: int64(d.LastModifyBeginTimeStamp), LastModifyEndTimeStamp: int64(d.LastModifyEndTimeStamp),
		UpperSizeBound: int64(d.UpperSizeBound),
	}
	if d.LowerSizeBound != nil {
		f.LowerSizeBound, f.HasLowerSizeBound = int64(*d.LowerSizeBound), true
	}
	for _, name := range d.StorageClass {
		var one stocktake.Filter
		if !one.SetStorageClasses(name.text) {
			return f, name.unknown()
		}
		f.AllClasses = f.AllClasses || one.AllClasses
		f.StorageClass = append(f.StorageClass, one.StorageClass...)
	}
	return f, nil
}

func (n names) fields(parse func(string) (stocktake.Field, bool)) (fields []stocktake.Field, err error) {
	for _, name := range n {
		f, ok := parse(name.text)
		if !ok {
			return nil, name.unknown()
		}
		fields = append(fields, f)
	}
	return fields, nil
}

func (n name) unknown() error { return fmt.Errorf("line %d: unknown name %.40q", n.line, n.text) }

// newDocument returns the document that describes c.
func newDocument(c *stocktake.InventoryConfiguration) *document {
	dst, f := &c.Destination, &c.Filter
	d := &document{
		ID: text(c.ID), IsEnabled: c.IsEnabled, IncludedObjectVersions: text(c.IncludedObjectVersions), OptionalFields: fieldNames(c.OptionalFields),
		Filter: filter{
			Prefix: text(f.Prefix), LastModifyBeginTimeStamp: moment(f.LastModifyBeginTimeStamp), LastModifyEndTimeStamp: moment(f.LastModifyEndTimeStamp),
			UpperSizeBound: number(f.UpperSizeBound),
		},
		Destination: destination{
			Format: text(dst.Format), AccountID: text(dst.AccountID), RoleARN: text(dst.RoleARN), Bucket: text(dst.Bucket), Prefix: text(dst.Prefix),
			Encryption: encryption{SSEOSS: sseOSS(dst.Encryption.SSEOSS), SSEKMS: sseKMS{on: dst.Encryption.SSEKMS}, KeyID: text(dst.Encryption.KeyID)},
		},
		Schedule: schedule{Frequency: text(c.Schedule.Frequency), DayOfMonth: number(c.Schedule.DayOfMonth), AutoDelete: c.Schedule.AutoDelete},
	}
	if f.LowerSizeBound != 0 || f.HasLowerSizeBound {
		d.Filter.LowerSizeBound = new(number(f.LowerSizeBound))
	}
	if classes := f.StorageClasses(); classes != "" {
		d.Filter.StorageClass = splitNames(classes, 0)
	}
	if inc := c.Incremental; inc != nil {
		d.Incremental = &incremental{IsEnabled: &inc.IsEnabled, Frequency: new(number(inc.Frequency)), OptionalFields: fieldNames(inc.OptionalFields)}
	}
	return d
}

func fieldNames(fields []stocktake.Field) (n names) {
	for _, f := range fields {
		n = append(n, name{text: f.String()})
	}
	return n
}
