package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/stocktake/stocktake"
)

// filterFlags say which objects a report has, besides a prefix.
type filterFlags struct {
	ModifiedAfter  string   `group:"Filter" help:"RFC 3339, a date, or Unix seconds, inclusive." placeholder:"TIME"`
	ModifiedBefore string   `group:"Filter" help:"The same." placeholder:"TIME"`
	MinSize        string   `group:"Filter" aliases:"lower-size-bound" help:"Smallest size, inclusive: bytes, or 10K, 5M, 2G." placeholder:"SIZE"`
	MaxSize        string   `group:"Filter" aliases:"upper-size-bound" help:"Largest size, inclusive." placeholder:"SIZE"`
	StorageClass   []string `group:"Filter" help:"Only these storage classes: IA, GLACIER_IR ..." placeholder:"CLASS"`
}

func (c *filterFlags) filter(prefix string) (f stocktake.Filter, err error) {
	f = stocktake.Filter{Prefix: prefix}
	for _, name := range c.StorageClass {
		class, ok := stocktake.FilterStorageClass(name)
		if !ok {
			return f, usagef("--storage-class: unknown class %q", name)
		}
		f.StorageClass = append(f.StorageClass, class)
	}
	if c.MinSize != "" {
		if f.LowerSizeBound, err = parseSize(c.MinSize, nil); err != nil {
			return f, usagef("--min-size: %w", err)
		}
		f.HasLowerSizeBound = true
	}
	if c.MaxSize != "" {
		if f.UpperSizeBound, err = parseSize(c.MaxSize, nil); err != nil {
			return f, usagef("--max-size: %w", err)
		}
		if f.UpperSizeBound == 0 { // which would mean no bound
			return f, usagef("--max-size: must be at least 1")
		}
	}
	if f.LastModifyBeginTimeStamp, err = parseTime(c.ModifiedAfter); err != nil {
		return f, usagef("--modified-after: %v", err)
	}
	if f.LastModifyEndTimeStamp, err = parseTime(c.ModifiedBefore); err != nil {
		return f, usagef("--modified-before: %v", err)
	}
	return f, nil
}

// parseFields reads the columns of --fields.
func parseFields(names []string) (fields []stocktake.Field, err error) {
	for _, name := range names {
		f, ok := stocktake.ParseOptionalField(name)
		if !ok {
			return nil, usagef("--fields: unknown column %q; the columns are %s", name, strings.Join(fieldNames(), ", "))
		}
		fields = append(fields, f)
	}
	return fields, nil
}

// fieldNames returns the values of --fields.
func fieldNames() (names []string) {
	for _, f := range stocktake.Fields() {
		if f.Column().Full == stocktake.Optional {
			names = append(names, f.String())
		}
	}
	return names
}

// parseTime reads RFC 3339, a date or Unix seconds; "" is 0.
func parseTime(s string) (int64, error) {
	if s == "" {
		return 0, nil
	}
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return n, nil
	}
	for _, layout := range []string{time.RFC3339, time.DateTime, time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.Unix(), nil
		}
	}
	return 0, fmt.Errorf("%q is not a time such as 2026-01-05, 2026-01-05T16:00:00Z or 1767628800", s)
}
