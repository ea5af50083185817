package main

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/report"
)

// selectFlags say which rows of a report, and which columns.
type selectFlags struct {
	Prefix  string   `help:"Only keys that start with this." group:"Rows"`
	From    string   `help:"Only this key and later keys." group:"Rows" placeholder:"KEY"`
	To      string   `help:"Only keys before this one." group:"Rows" placeholder:"KEY"`
	Class   []string `help:"Only these storage classes." group:"Rows" placeholder:"CLASS"`
	MinSize string   `help:"Only objects of at least this size: bytes, or 10K, 5M, 2G." group:"Rows" placeholder:"SIZE"`
	MaxSize string   `help:"Only objects of at most this size." group:"Rows" placeholder:"SIZE"`
	Since   string   `help:"Only what was modified at or after this time: 2026-01-31, RFC 3339, or an age such as 30d or 12h." group:"Rows" placeholder:"TIME"`
	Until   string   `help:"Only what was modified at or before this time." group:"Rows" placeholder:"TIME"`
	Latest  bool     `help:"Only the latest versions, and no delete markers." group:"Rows"`
	Columns []string `help:"Columns, by their names in the report, in any case; see report show." short:"c"`
}

// A selection is what selectFlags select.
type selection struct {
	keys    report.KeyRange
	match   stocktake.Matcher
	columns []stocktake.Field // to print
	needed  []stocktake.Field // to read
}

// of returns the selection of rows of r. Ages are counted from the time of the
// report.
func (s *selectFlags) of(r *report.Report) (selection, error) {
	sel := selection{keys: report.PrefixRange([]byte(s.Prefix)).And(report.KeyRange{From: []byte(s.From), To: []byte(s.To)})}
	var err error
	if sel.columns, err = columnsOf(r, s.Columns); err != nil {
		return sel, err
	}
	f := stocktake.Filter{}
	needs := func(flag string, column stocktake.Field) {
		sel.needed = append(sel.needed, column)
		if err == nil && !r.Has(column) {
			err = usagef("--%s: the report has no column %s", flag, column)
		}
	}
	for _, name := range s.Class {
		needs("class", stocktake.FieldStorageClass)
		class, ok := stocktake.FilterStorageClass(name)
		if !ok {
			return sel, usagef("--class: unknown storage class %q", name)
		}
		f.StorageClass = append(f.StorageClass, class)
	}
	for _, bound := range []struct {
		flag, text string
		to         *int64
	}{{"min-size", s.MinSize, &f.LowerSizeBound}, {"max-size", s.MaxSize, &f.UpperSizeBound}} {
		if bound.text == "" {
			continue
		}
		needs(bound.flag, stocktake.FieldSize)
		if *bound.to, err = parseSize(bound.text, err); err != nil {
			return sel, usagef("--%s: %w", bound.flag, err)
		}
	}
	for _, bound := range []struct {
		flag, text string
		to         *int64
	}{{"since", s.Since, &f.LastModifyBeginTimeStamp}, {"until", s.Until, &f.LastModifyEndTimeStamp}} {
		if bound.text == "" {
			continue
		}
		needs(bound.flag, stocktake.FieldLastModifiedDate)
		if *bound.to, err = parseMoment(bound.text, r.Time(), err); err != nil {
			return sel, usagef("--%s: %w", bound.flag, err)
		}
	}
	latest := s.Latest && r.Has(stocktake.FieldIsLatest)
	if latest {
		sel.needed = append(sel.needed, stocktake.FieldIsLatest, stocktake.FieldIsDeleteMarker)
	}
	sel.match = stocktake.NewMatcher(f, latest)
	sel.needed = append(sel.needed, sel.columns...)
	sel.needed = append(sel.needed, stocktake.FieldIsDeleteMarker) // it lists the valid values
	return sel, err
}

// columnsOf returns the columns of these names; without any, all whose names are
// known.
func columnsOf(r *report.Report, names []string) (columns []stocktake.Field, err error) {
	if len(names) == 0 {
		for _, f := range r.Columns {
			if f != 0 {
				columns = append(columns, f)
			}
		}
		return columns, nil
	}
	return namedColumns(names, r.Has, r.Manifest.FileSchema)
}

// namedColumns returns the columns of these names that has has.
func namedColumns(names []string, has func(stocktake.Field) bool, schema string) (columns []stocktake.Field, err error) {
	for _, name := range names {
		i := slices.IndexFunc(stocktake.Fields(), func(f stocktake.Field) bool {
			return strings.EqualFold(f.String(), name) || strings.EqualFold(f.Column().SchemaName, name)
		})
		if i < 0 {
			return nil, usagef("--columns: %q is not a column; the columns are %s", name, schema)
		}
		f := stocktake.Fields()[i]
		if !has(f) {
			return nil, usagef("--columns: the report has no column %s; it has %s", f, schema)
		}
		columns = append(columns, f)
	}
	return columns, nil
}

var sizeForm = regexp.MustCompile(`^([0-9]+)([KMGTP]?)(i?B)?$`)

// parseSize reads a number of bytes, also with a binary unit, unless there is an
// error already.
func parseSize(text string, err error) (int64, error) {
	if err != nil {
		return 0, err
	}
	m := sizeForm.FindStringSubmatch(strings.ToUpper(strings.Replace(text, "iB", "B", 1)))
	if m == nil {
		return 0, usagef("%q is not a size such as 4096, 10K or 5G", text)
	}
	n, err := strconv.ParseInt(m[1], 10, 64)
	shift := 10 * (1 + strings.Index("KMGTP", m[2]))
	if m[2] == "" {
		shift = 0
	}
	if err != nil || n > (1<<62)>>shift {
		return 0, usagef("%q is too large", text)
	}
	return n << shift, nil
}

var ageForm = regexp.MustCompile(`^([0-9]+)([dhm])$`)

// parseMoment reads a time, or an age before now, in Unix seconds, unless there
// is an error already.
func parseMoment(text string, now time.Time, err error) (int64, error) {
	if err != nil {
		return 0, err
	}
	if m := ageForm.FindStringSubmatch(text); m != nil {
		n, err := strconv.ParseInt(m[1], 10, 32)
		if err != nil {
			return 0, usagef("%q is too long ago", text)
		}
		unit := map[string]int64{"d": 86400, "h": 3600, "m": 60}[m[2]]
		return now.Unix() - n*unit, nil
	}
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.Unix(), nil
		}
	}
	return 0, usagef("%q is not a time such as 2026-01-31, 2026-01-31T12:00:00Z, 30d or 12h", text)
}
