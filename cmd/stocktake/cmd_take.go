package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/foreign"
	"github.com/stocktake/stocktake/internal/reporttext"
	"github.com/stocktake/stocktake/internal/server"
	"github.com/stocktake/stocktake/internal/take"
	"github.com/stocktake/stocktake/internal/take/places"
	"github.com/stocktake/stocktake/internal/terminal"
	"github.com/stocktake/stocktake/report"
)

// takeCmd is `stocktake take`.
type takeCmd struct {
	Source string `arg:"" name:"SRC" help:"s3://BUCKET/PREFIX or oss://BUCKET/PREFIX."`
	To     string `arg:"" name:"DST" help:"A folder, s3://BUCKET/PREFIX or oss://BUCKET/PREFIX."`
	jsonFlag

	Estimate bool  `help:"Estimate requests, time and cost, and exit."`
	Objects  int64 `help:"Approximate number of objects." placeholder:"N"`
	Fresh    bool  `help:"Start over if an earlier take was interrupted."`

	Checkpoint time.Duration `help:"How often to save progress. It ends files early." default:"10m"`

	Fields    []string `group:"Report" help:"Columns after Bucket and Key, in this order." default:"Size,LastModifiedDate,ETag,StorageClass" placeholder:"FIELD"`
	Versions  string   `group:"Report" help:"Versions to list: ${enum}." enum:"Current,All" default:"Current"`
	Format    string   `group:"Report" help:"Format of the files, such as ${formats}." default:"CSV"`
	ShardRows int64    `group:"Report" help:"Maximum number of rows per file." default:"1000000"`
	SSEOSS    bool     `group:"Report" name:"sse-oss" help:"Encrypt the report with the service's keys." xor:"sse"`
	SSEKMS    string   `group:"Report" name:"sse-kms" help:"Encrypt the report with a KMS key, or 'default'." xor:"sse" placeholder:"KEY-ID"`

	filterFlags
	takeStores
}

// Help is shown by --help below the flags.
func (takeCmd) Help() string {
	return `After an interruption, the same command resumes. Access keys come from where the official
tools find them. A folder gets the files of a downloaded report (stocktake report show DST);
in a bucket the report lies under PREFIX/SOURCE/take/. Columns: ` + strings.Join(fieldNames(), ", ") + `.`
}

// Run takes one inventory.
func (c *takeCmd) Run(ctx context.Context, con console) (err error) {
	if c.ShardRows < 1 {
		return usagef("--shard-rows: must be at least 1")
	}
	if c.Checkpoint <= 0 {
		return usagef("--checkpoint: must be more than 0")
	}
	if c.Format == "CSV" { // encoders of Parquet hold more, and the collector would run all the time
		limitMemory(take.MemoryLimit)
	}
	log := newLogger(con.err, slog.LevelWarn, "text")
	src, dst, err := c.open(c.Source, c.To, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dst.Close()) }()
	cfg, err := c.configuration(&src, &dst)
	if err != nil {
		return err
	}
	job := take.Job{
		Origin: src.Origin, Source: src.Source(), Bucket: src.Bucket,
		Destination: dst.Destination, Configuration: cfg,
	}
	if c.Estimate {
		return c.estimate(ctx, con, job, &src)
	}
	if dst.Within(&src) {
		sayf(con.err, "%s lies within the listed prefix: the report will contain the report files there\n", c.To)
	}
	if costs := src.Store.Costs(cfg.Columns()); costs.PerObject > 0 {
		sayf(con.err, "%s: listings do not contain this; the take makes %s more for each object (--estimate shows how long that takes)\n",
			reporttext.FieldNames(costs.Fetched), many(int64(costs.PerObject), "request"))
	}
	return c.take(ctx, con, job, &src, &dst, log)
}

// configuration returns the configuration that these flags describe.
func (c *takeCmd) configuration(src, dst *places.Place) (cfg stocktake.InventoryConfiguration, err error) {
	cfg = stocktake.InventoryConfiguration{
		ID: places.ConfigurationID, IsEnabled: true, Schedule: stocktake.Schedule{Frequency: stocktake.Once},
		IncludedObjectVersions: stocktake.IncludedObjectVersions(c.Versions),
		Destination: stocktake.Destination{
			AccountID: server.DefaultAccount, RoleARN: "acs:ram::" + server.DefaultAccount + ":role/take",
			Bucket: dst.Bucket, Prefix: strings.TrimSuffix(dst.Prefix, "/"),
			Encryption: stocktake.Encryption{SSEOSS: c.SSEOSS, SSEKMS: c.SSEKMS != ""},
		},
	}
	if c.SSEKMS != "default" {
		cfg.Destination.Encryption.KeyID = c.SSEKMS
	}
	if dst.Store == nil && cfg.Destination.Encryption != (stocktake.Encryption{}) {
		return cfg, usagef("--sse-oss and --sse-kms: a folder does not encrypt files")
	}
	if cfg.Destination.Format, err = formatFlagName(c.Format); err != nil {
		return cfg, err
	}
	if cfg.OptionalFields, err = parseFields(c.Fields); err != nil {
		return cfg, err
	}
	if cfg.Filter, err = c.filter(src.Prefix); err != nil {
		return cfg, err
	}
	checked := cfg
	checked.Destination.Bucket = "valid" // buckets of S3 have names of their own
	rules := stocktake.InventoryRules{OSSClasses: src.Store.Settings().Kind == foreign.OSS}
	if err := checked.Validate(rules); err != nil {
		return cfg, usageError{asFlag(err)}
	}
	return cfg, nil
}

// asFlag names the flag of a take instead of the element of a configuration that is
// wrong.
func asFlag(err error) error {
	invalid, ok := errors.AsType[*stocktake.InvalidArgumentError](err)
	if !ok {
		return err
	}
	flag, ok := takeFlags[invalid.Element]
	if !ok {
		return err
	}
	return fmt.Errorf("%s: %s", flag, strings.ReplaceAll(invalid.Reason, "LastModifyEndTimeStamp", "--modified-before"))
}

// takeFlags are the flags of elements that can be wrong although each was read.
var takeFlags = map[string]string{
	"Filter/LowerSizeBound":           "--min-size",
	"Filter/UpperSizeBound":           "--max-size",
	"Filter/LastModifyBeginTimeStamp": "--modified-after",
	"Filter/LastModifyEndTimeStamp":   "--modified-before",
}

// takeResult is the result for programs.
type takeResult struct {
	Source    string     `json:"source"`
	Manifest  string     `json:"manifest"` // where it lies
	Continued bool       `json:"continued"`
	Attempt   int        `json:"attempt"`
	Seconds   float64    `json:"seconds"` // of this attempt
	Summary   takeTotals `json:"totals"`

	// Values that the report lacks; see stocktake.Summary.
	Unavailable []string `json:"unavailable,omitempty"`
	Incomplete  int64    `json:"incomplete,omitempty"`
	SuspectKeys int64    `json:"suspectKeys,omitempty"`

	Shards []takeResultFile `json:"shards"`
}

type takeTotals struct {
	Listed  int64 `json:"listed"`
	Matched int64 `json:"matched"`
	Bytes   int64 `json:"bytes"`
}

type takeResultFile struct {
	Key  string `json:"key"`  // in the report
	File string `json:"file"` // where it lies
	Rows int64  `json:"rows"`
	Size int64  `json:"size"`
}

func (c *takeCmd) take(ctx context.Context, con console, job take.Job, src, dst *places.Place, log *slog.Logger) error {
	begin := time.Now()
	var begun take.Begun
	line := newTakeLine(con.err)
	opts := take.Options{
		Fresh: c.Fresh, Slice: c.Checkpoint, Expected: c.Objects, Limits: report.Limits{Rows: c.ShardRows}, Log: log,
		Begun: func(b take.Begun) {
			begun = b
			if b.Continued {
				sayf(con.err, "resuming the take of %s, which has listed %s (--fresh starts over)\n", when(b.Started), many(b.Listed, "object"))
			}
		},
		Follow: func(progress func() stocktake.Progress) { line.start(progress, begun.Listed) },
	}
	result, err := take.Run(ctx, job, opts)
	line.stop()
	switch {
	case errors.Is(err, take.ErrInterrupted):
		sayf(con.err, "interrupted; progress is saved in %s: the same command resumes, --fresh starts over\n", printable(dst.Origin))
		return err
	case errors.Is(err, take.ErrOther):
		return usagef("%w: run that one again, use --fresh to start over, or choose another destination", err)
	case errors.Is(err, take.ErrUnreadable):
		return usagef("%w: use --fresh to start over, or choose another destination", err)
	case err != nil && begun.Attempt > 0:
		return fmt.Errorf("take %s: %w%s; the same command resumes where it failed", c.Source, err, takeAdvice(err, src, dst))
	case err != nil:
		return fmt.Errorf("take %s: %w%s", c.Source, err, takeAdvice(err, src, dst))
	}
	where := dst.Where(result.Manifest)
	s := &result.Summary
	if c.JSON {
		res := takeResult{
			Source: c.Source, Manifest: where, Continued: begun.Continued, Attempt: begun.Attempt, Seconds: time.Since(begin).Seconds(),
			Summary: takeTotals{s.Listed, s.Matched, s.Bytes}, Shards: []takeResultFile{},
			Unavailable: s.Unavailable, Incomplete: s.Incomplete, SuspectKeys: s.SuspectKeys,
		}
		for _, f := range s.Files {
			res.Shards = append(res.Shards, takeResultFile{f.Key, dst.Where(f.Key), f.Rows, f.Size})
		}
		return terminal.PrintJSON(con.out, res)
	}
	var stored int64
	for _, f := range s.Files {
		stored += f.Size
	}
	took := time.Since(begin)
	sayf(con.out, "listed   %s, matched %s of %s\n", many(s.Listed, "object"), count(s.Matched), size(s.Bytes))
	sayf(con.out, "took     %s (%s objects/s)\n", took.Round(time.Millisecond), count(int64(float64(s.Listed-begun.Listed)/max(took.Seconds(), 1e-3))))
	reporttext.PrintDoubts(con.out, "%-8s %s\n", s)
	_, err = sayf(con.out, "report   %s (%s, %s)\n", printable(where), many(int64(len(s.Files)), "shard"), size(stored))
	if needed := (s.Matched + c.ShardRows - 1) / c.ShardRows; err == nil && int64(len(s.Files)) > 2*needed+1 {
		sayf(con.err, "the report has %s, where %s would be enough, because each interruption and checkpoint ends the files being written; to join them: stocktake report convert %s NEW\n",
			many(int64(len(s.Files)), "shard"), count(needed), printable(dst.Shown()))
	}
	return err
}
