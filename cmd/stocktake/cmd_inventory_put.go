package main

import (
	"cmp"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/client"
	"github.com/stocktake/stocktake/inventoryxml"
)

type inventoryPut struct {
	remote
	bucketFlag
	ID   string `name:"inventory-id" aliases:"inventory_id,id" help:"Id of the configuration." short:"i"`
	File string `help:"Read an XML or YAML file instead; - is stdin." short:"f" type:"existingfile" placeholder:"FILE"`

	jsonFlag
	Replace bool `help:"Replace the configuration; its history stays."`
	Wait    bool `help:"Wait for the first run; exit code 1 if it fails." short:"w"`

	UserID            string   `group:"Report" aliases:"user_id" help:"Owner of the destination bucket." default:"1000000000000000"`
	ARN               string   `group:"Report" aliases:"role-arn" help:"Role of the runs. Default: AliyunOSSRole." placeholder:"acs:ram::UID:role/NAME"`
	Destination       string   `group:"Report" help:"Bucket for reports. Default: the source." placeholder:"BUCKET"`
	DestinationPrefix string   `group:"Report" help:"Path for reports, without a final /." placeholder:"PREFIX"`
	Format            string   `group:"Report" help:"File format of reports, such as ${formats}." default:"CSV"`
	Versions          string   `group:"Report" help:"Versions to list: ${enum}." enum:"Current,All" default:"Current"`
	Fields            []string `group:"Report" help:"Columns after Bucket and Key, in this order." default:"Size,LastModifiedDate,ETag,StorageClass" placeholder:"FIELD"`
	Incremental       bool     `group:"Report" help:"Report each change, too, every ten minutes."`
	SSEOSS            bool     `group:"Report" name:"sse-oss" help:"Encrypt reports with the service's keys." xor:"sse"`
	SSEKMS            string   `group:"Report" name:"sse-kms" help:"Encrypt reports with a KMS key, or 'default'." xor:"sse" placeholder:"KEY-ID"`

	Frequency  string `group:"Schedule" help:"How often: ${enum}." enum:"Daily,Weekly,Monthly,Once" default:"Daily"`
	DayOfMonth int    `group:"Schedule" help:"With Monthly: 1 to 31. Default: every 30 days." placeholder:"DAY"`
	AutoDelete *bool  `group:"Schedule" help:"With Once: delete the configuration after its run." negatable:""`
	Disabled   bool   `group:"Schedule" help:"Add the configuration without running it."`

	Prefix string `group:"Filter" help:"Only keys with this prefix."`
	filterFlags
}

// Help is shown by --help below the flags.
func (inventoryPut) Help() string {
	return "Columns for --fields, by default the first four: " + strings.Join(fieldNames(), ", ") + "."
}

// Run puts the configuration. The server decides on every rule; what can be
// checked without it is reported with the name of the flag.
func (c *inventoryPut) Run(ctx context.Context, con console, line *kong.Context) error {
	if c.File != "" {
		if err := describing(line); err != nil {
			return err
		}
	}
	cfg, err := c.configuration()
	if err != nil {
		return err
	}
	cl, err := c.client()
	if err != nil {
		return err
	}
	done, last, err := c.put(ctx, cl, cfg)
	if err != nil {
		return explain(err, done+" "+cfg.ID+" of bucket "+c.Bucket)
	}
	if !c.Wait || !cfg.IsEnabled || done == replaced && last == nil {
		return c.sayPut(con, cfg, done)
	}
	if !c.JSON {
		if err := c.sayPut(con, cfg, done); err != nil {
			return err
		}
	}
	if last == nil {
		runs, err := cl.Runs(ctx, c.Bucket, cfg.ID)
		if err != nil || len(runs) == 0 {
			return explain(cmp.Or(err, stocktake.ErrNoSuchRun), "first run of "+cfg.ID)
		}
		last = &runs[len(runs)-1] // the oldest is the first
	}
	r, err := wait(ctx, cl, *last, con.err)
	if err != nil {
		return err
	}
	if err := printRun(con.out, c.jsonFlag, r); err != nil {
		return err
	}
	return runError(r)
}

// The results of put.
const (
	added    = "put"
	replaced = "replaced"
)

// put replaces the configuration if requested and if it exists, otherwise it adds a new one, and
// reports which. last is the unfinished run of a replaced configuration, such as one that the new
// one has started.
func (c *inventoryPut) put(ctx context.Context, cl *client.Client, cfg stocktake.InventoryConfiguration) (done string, last *stocktake.Run, err error) {
	if c.Replace {
		status, err := cl.Replace(ctx, c.Bucket, cfg)
		if err == nil && status.Last != nil && (cfg.Schedule.Frequency == stocktake.Once || !status.Last.State.Ended()) {
			last = status.Last
		}
		if !errors.Is(err, stocktake.ErrNoSuchInventory) {
			return replaced, last, err
		}
	}
	return added, nil, cl.Put(ctx, c.Bucket, cfg)
}

// sayPut says what was put.
func (c *inventoryPut) sayPut(con console, cfg stocktake.InventoryConfiguration, done string) error {
	when := strings.ToLower(string(cfg.Schedule.Frequency))
	if !cfg.IsEnabled {
		when += " (disabled: it does not run)"
	}
	return c.say(con, cfg, "%s %s on bucket %s: %s, reports in oss://%s", done, cfg.ID, c.Bucket, when, reportFolder(cfg, c.Bucket))
}

// describing refuses the flags that describe a configuration, which the file does.
func describing(line *kong.Context) error {
	for _, p := range line.Path {
		if p.Flag == nil || p.Resolved || p.Flag.Group == nil {
			continue
		}
		switch p.Flag.Group.Key {
		case "Report", "Schedule", "Filter":
			return usagef("--%s: cannot be combined with --file: change the file, or omit --file", p.Flag.Name)
		}
	}
	return nil
}

func (c *inventoryPut) configuration() (cfg stocktake.InventoryConfiguration, err error) {
	if c.File != "" {
		return c.fromFile()
	}
	if !stocktake.ValidBucketName(c.Bucket) {
		return cfg, usagef("--bucket: %q is not the name of a bucket", c.Bucket)
	}
	if p, ok := strings.CutSuffix(c.DestinationPrefix, "/"); ok {
		return cfg, usagef("--destination-prefix: write %q: the / is added", p)
	}
	for name := range strings.SplitSeq(c.DestinationPrefix, "/") {
		if name == "." || name == ".." || name == "" && c.DestinationPrefix != "" {
			return cfg, usagef("--destination-prefix: %q has an element %q: report files below it cannot be downloaded", c.DestinationPrefix, name)
		}
	}
	if c.ID == "" {
		return cfg, usagef("--inventory-id is missing")
	}
	cfg = stocktake.InventoryConfiguration{
		ID:        c.ID,
		IsEnabled: !c.Disabled,
		Destination: stocktake.Destination{
			AccountID: c.UserID, RoleARN: c.ARN,
			Bucket: cmp.Or(c.Destination, c.Bucket), Prefix: c.DestinationPrefix,
			Encryption: stocktake.Encryption{SSEOSS: c.SSEOSS, SSEKMS: c.SSEKMS != ""},
		},
		Schedule: stocktake.Schedule{
			Frequency: stocktake.Frequency(c.Frequency), DayOfMonth: c.DayOfMonth, AutoDelete: c.AutoDelete,
		},
		IncludedObjectVersions: stocktake.IncludedObjectVersions(c.Versions),
	}
	if cfg.Destination.RoleARN == "" {
		cfg.Destination.RoleARN = "acs:ram::" + c.UserID + ":role/AliyunOSSRole"
	}
	if c.SSEKMS != "default" {
		cfg.Destination.Encryption.KeyID = c.SSEKMS
	}
	if cfg.OptionalFields, err = parseFields(c.Fields); err != nil {
		return cfg, err
	}
	if c.Incremental {
		cfg.Incremental = &stocktake.IncrementalInventory{IsEnabled: true, Frequency: stocktake.IncrementalWindow, OptionalFields: incrementalFields()}
	}
	if cfg.Destination.Format, err = formatFlagName(c.Format); err != nil {
		return cfg, err
	}
	cfg.Filter, err = c.filter(c.Prefix)
	return cfg, err
}

// incrementalFields returns all columns that reports of changes may have.
func incrementalFields() (fields []stocktake.Field) {
	for _, f := range stocktake.Fields() {
		if f.Column().Incremental == stocktake.Optional {
			fields = append(fields, f)
		}
	}
	return fields
}

func (c *inventoryPut) fromFile() (cfg stocktake.InventoryConfiguration, err error) {
	in := io.Reader(os.Stdin)
	if c.File != "-" {
		f, err := os.Open(c.File)
		if err != nil {
			return cfg, usageError{err}
		}
		defer f.Close()
		in = f
	}
	b, err := io.ReadAll(io.LimitReader(in, 1<<20))
	if err != nil {
		return cfg, err
	}
	if filepath.Ext(c.File) == ".xml" || strings.HasPrefix(strings.TrimSpace(string(b)), "<") {
		cfg, err = inventoryxml.Parse(b)
	} else {
		cfg, err = client.ParseYAML(b)
	}
	if err != nil {
		return cfg, usagef("%s: %v", c.File, err)
	}
	if c.ID != "" && cfg.ID != "" && c.ID != cfg.ID {
		return cfg, usagef("--inventory-id is %q, but %s says %q", c.ID, c.File, cfg.ID)
	}
	cfg.ID = cmp.Or(cfg.ID, c.ID)
	return cfg, nil
}
