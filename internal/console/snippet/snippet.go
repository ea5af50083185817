// Package snippet writes a configuration as people use it elsewhere: as a document, as a
// command line, and as a Go program.
package snippet

import (
	"cmp"
	"fmt"
	"go/format"
	"strconv"
	"strings"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/human"
	"github.com/stocktake/stocktake/inventoryxml"
)

// XML returns the XML of a configuration. Invisible characters are written as
// references.
func XML(c *stocktake.InventoryConfiguration) string {
	var b strings.Builder
	for _, r := range string(inventoryxml.AppendIndented(nil, c)) {
		if human.Invisible(r) && r != '\n' && r != '\t' {
			fmt.Fprintf(&b, "&#x%X;", r)
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

// Command returns the command that puts a configuration.
func Command(bucket string, c *stocktake.InventoryConfiguration) string {
	var b strings.Builder
	b.WriteString("stocktake inventory put --bucket " + Quoted(bucket) + " --inventory-id " + Quoted(c.ID))
	flag := func(name, value string) {
		if value != "" {
			b.WriteString(" \\\n  --" + name + " " + Quoted(value))
		}
	}
	number := func(name string, n int64, there bool) {
		if there {
			flag(name, strconv.FormatInt(n, 10))
		}
	}
	if c.Incremental != nil || c.Filter.AllClasses || len(c.OptionalFields) == 0 {
		return "# Save the document above as inventory.xml; flags do not have all of it.\n" +
			"stocktake inventory put --bucket " + Quoted(bucket) + " --file inventory.xml"
	}
	flag("frequency", string(c.Schedule.Frequency))
	number("day-of-month", int64(c.Schedule.DayOfMonth), c.Schedule.DayOfMonth != 0)
	if c.Schedule.AutoDelete != nil {
		b.WriteString(map[bool]string{true: " --auto-delete", false: " --no-auto-delete"}[*c.Schedule.AutoDelete])
	}
	if !c.IsEnabled {
		b.WriteString(" --disabled")
	}
	d := &c.Destination
	flag("destination", d.Bucket)
	flag("destination-prefix", d.Prefix)
	flag("user-id", d.AccountID)
	flag("arn", d.RoleARN)
	flag("format", d.Format)
	if d.Encryption.SSEOSS {
		b.WriteString(" --sse-oss")
	}
	if d.Encryption.SSEKMS {
		flag("sse-kms", cmp.Or(d.Encryption.KeyID, "default"))
	}
	flag("versions", string(c.IncludedObjectVersions))
	fields := make([]string, len(c.OptionalFields))
	for i, f := range c.OptionalFields {
		fields[i] = f.String()
	}
	b.WriteString(" \\\n  --fields " + Quoted(strings.Join(fields, ",")))
	f := &c.Filter
	flag("prefix", f.Prefix)
	if len(f.StorageClass) > 0 {
		flag("storage-class", f.StorageClasses())
	}
	number("min-size", f.LowerSizeBound, f.LowerSizeBound != 0 || f.HasLowerSizeBound)
	number("max-size", f.UpperSizeBound, f.UpperSizeBound != 0)
	number("modified-after", f.LastModifyBeginTimeStamp, f.LastModifyBeginTimeStamp != 0)
	number("modified-before", f.LastModifyEndTimeStamp, f.LastModifyEndTimeStamp != 0)
	return b.String()
}

// Replacing returns the command and the code for a configuration that replaces
// another.
func Replacing(command, code string) (string, string) {
	const put = "stocktake inventory put "
	return strings.Replace(command, put, put+"--replace ", 1),
		strings.Replace(strings.Replace(code, "err := client.New", "_, err := client.New", 1), ".Put(ctx, ", ".Replace(ctx, ", 1)
}

// Quoted quotes a word for a POSIX shell. Invisible characters are written with
// $'...', which bash and zsh read.
func Quoted(word string) string {
	if word == "" {
		return "''"
	}
	if human.Visible(word) != word {
		return "$'" + ansi(word) + "'"
	}
	if strings.Trim(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:,=@+") == "" {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// ansi escapes the bytes of a word for $'...'.
func ansi(word string) string {
	var b strings.Builder
	for i := range len(word) {
		switch x := word[i]; {
		case x == '\'' || x == '\\':
			b.WriteByte('\\')
			b.WriteByte(x)
		case x < ' ' || x >= 0x7f:
			fmt.Fprintf(&b, `\x%02x`, x)
		default:
			b.WriteByte(x)
		}
	}
	return b.String()
}

// Go returns a Go program that puts a configuration with the official SDK and
// package client.
func Go(endpoint, region, bucket string, c *stocktake.InventoryConfiguration) string {
	var b strings.Builder
	p := func(format string, args ...any) { fmt.Fprintf(&b, format, args...) }
	p("cfg := oss.LoadDefaultConfig().WithRegion(%q).WithEndpoint(%q).\nWithCredentialsProvider(credentials.NewEnvironmentVariableCredentialsProvider())\n", region, endpoint)
	p("err := client.New(oss.NewClient(cfg)).Put(ctx, %q, stocktake.InventoryConfiguration{\n", bucket)
	p("ID: %q,\nIsEnabled: %t,\n", c.ID, c.IsEnabled)
	d := &c.Destination
	p("Destination: stocktake.Destination{\nFormat: %q,\nAccountID: %q,\nRoleARN: %q,\nBucket: %q,\n", d.Format, d.AccountID, d.RoleARN, d.Bucket)
	if d.Prefix != "" {
		p("Prefix: %q,\n", d.Prefix)
	}
	switch e := d.Encryption; {
	case e.SSEOSS:
		p("Encryption: stocktake.Encryption{SSEOSS: true},\n")
	case e.SSEKMS && e.KeyID != "":
		p("Encryption: stocktake.Encryption{SSEKMS: true, KeyID: %q},\n", e.KeyID)
	case e.SSEKMS:
		p("Encryption: stocktake.Encryption{SSEKMS: true},\n")
	}
	p("},\n")
	schedule := fmt.Sprintf("Frequency: %q", c.Schedule.Frequency)
	if c.Schedule.DayOfMonth != 0 {
		schedule += fmt.Sprintf(", DayOfMonth: %d", c.Schedule.DayOfMonth)
	}
	if a := c.Schedule.AutoDelete; a != nil {
		schedule += fmt.Sprintf(", AutoDelete: oss.Ptr(%t)", *a)
	}
	p("Schedule: stocktake.Schedule{%s},\n", schedule)
	p("IncludedObjectVersions: %q,\n", c.IncludedObjectVersions)
	if len(c.OptionalFields) > 0 {
		p("OptionalFields: []stocktake.Field{\n")
		for _, f := range c.OptionalFields {
			p("%s,\n", goField(f))
		}
		p("},\n")
	}
	spellFilter(p, &c.Filter)
	if i := c.Incremental; i != nil {
		p("Incremental: &stocktake.IncrementalInventory{IsEnabled: %t, Frequency: %d},\n", i.IsEnabled, i.Frequency)
	}
	p("})\n")
	text, err := format.Source([]byte(b.String()))
	if err != nil { // unreachable: the text is a constant
		return b.String()
	}
	return string(text)
}

func spellFilter(p func(format string, args ...any), f *stocktake.Filter) {
	var parts []string
	part := func(format string, args ...any) { parts = append(parts, fmt.Sprintf(format, args...)) }
	if f.Prefix != "" {
		part("Prefix: %q", f.Prefix)
	}
	if len(f.StorageClass) > 0 {
		var all []string
		for _, c := range f.StorageClass {
			all = append(all, "stocktake."+c.String())
		}
		part("StorageClass: []stocktake.StorageClass{%s}", strings.Join(all, ", "))
	}
	if f.AllClasses {
		part("AllClasses: true")
	}
	if f.HasLowerSizeBound {
		part("HasLowerSizeBound: true")
	}
	for _, n := range []struct {
		name  string
		value int64
	}{
		{"LowerSizeBound", f.LowerSizeBound},
		{"UpperSizeBound", f.UpperSizeBound},
		{"LastModifyBeginTimeStamp", f.LastModifyBeginTimeStamp},
		{"LastModifyEndTimeStamp", f.LastModifyEndTimeStamp},
	} {
		if n.value != 0 {
			note := ""
			if strings.HasSuffix(n.name, "TimeStamp") {
				note = " /* " + time.Unix(n.value, 0).UTC().Format(time.RFC3339) + " */"
			}
			part("%s: %d%s", n.name, n.value, note)
		}
	}
	if len(parts) > 0 {
		p("Filter: stocktake.Filter{\n%s,\n},\n", strings.Join(parts, ",\n"))
	}
}

// goField returns the name of a field in Go.
func goField(f stocktake.Field) string {
	name := f.String()
	switch f {
	case stocktake.FieldObjectACL:
		name = "ObjectACL"
	case stocktake.FieldCRC64:
		name = "CRC64"
	}
	return "stocktake.Field" + name
}
