package inventory

import (
	"context"
	"errors"
	"fmt"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/report"
)

// Paths below InventoryConfiguration of the elements that checkConfiguration may refuse.
const (
	destinationElement = "Destination/OSSBucketDestination"
	bucketElement      = destinationElement + "/Bucket"
	encryptionElement  = destinationElement + "/Encryption"
)

// Put stores a new configuration of bucket and, if it is enabled, queues its first run; both are
// durable when Put returns nil, and the run starts at once.
//
// Errors: [*stocktake.InvalidArgumentError] for a destination or an encryption that is not
// possible, [stocktake.ErrIncrementalDisabled], [stocktake.ErrInventoryExists],
// [stocktake.ErrInventoryExceedLimit], in this order; and [stocktake.ErrNoSuchBucket] if bucket is
// deleted at the same time.
func (s *Service) Put(ctx context.Context, bucket string, cfg stocktake.InventoryConfiguration) error {
	if err := s.checkConfiguration(ctx, bucket, &cfg); err != nil {
		return err
	}
	now := s.now()
	e := Entry{Bucket: bucket, Configuration: cfg, Created: now}
	var first *stocktake.Run
	if cfg.IsEnabled {
		s.plan(&e, now)
		r := s.newRun(&e, stocktake.FullRun, stocktake.TriggerFirst, now)
		first = &r
	}
	if err := s.addConfiguration(ctx, &e, first); err != nil {
		return err
	}
	// The bucket may have been deleted since the check. If it is deleted later, BucketDeleted sees
	// the configuration.
	if _, err := s.buckets.Bucket(ctx, bucket); errors.Is(err, stocktake.ErrNoSuchBucket) {
		return errors.Join(err, s.BucketDeleted(context.WithoutCancel(ctx), bucket))
	}
	s.wakeAt(e.Wake)
	if e.Windows != nil {
		s.windowEnded(ctx, e.Windows, false)
	}
	if first != nil {
		s.startAdded(ctx, *first)
	}
	return nil
}

// addConfiguration stores a new configuration. If it has incremental reports, every change that
// begins after addConfiguration has returned is journalled.
func (s *Service) addConfiguration(ctx context.Context, e *Entry, first *stocktake.Run) (err error) {
	if !reportsChanges(&e.Configuration) {
		return s.catalog.AddConfiguration(ctx, *e, first, s.holderOfNew(), stocktake.MaxInventories)
	}
	id := e.Configuration.ID
	s.subscribing.Lock()
	defer s.subscribing.Unlock()
	switch _, err := s.catalog.Configuration(ctx, e.Bucket, id); {
	case err == nil:
		return stocktake.ErrInventoryExists
	case !errors.Is(err, stocktake.ErrNoSuchInventory):
		return err
	}
	if e.Windows, err = s.subscribe(ctx, e.Bucket, &e.Configuration); err != nil {
		return err
	}
	if err := s.catalog.AddConfiguration(ctx, *e, first, s.holderOfNew(), stocktake.MaxInventories); err != nil {
		s.unsubscribeGone(ctx, e.Bucket, id)
		return err
	}
	return nil
}

// reportsChanges reports whether cfg asks for incremental reports.
func reportsChanges(cfg *stocktake.InventoryConfiguration) bool {
	return cfg.IsEnabled && cfg.Incremental != nil && cfg.Incremental.IsEnabled
}

// checkConfiguration makes the checks of a configuration that need more than its document.
//
// Source: spec inventory-api.md, section 2.6, step 9, and section 3.
func (s *Service) checkConfiguration(ctx context.Context, bucket string, cfg *stocktake.InventoryConfiguration) error {
	source, err := s.buckets.Bucket(ctx, bucket)
	if err != nil {
		return err
	}
	if err := s.reach(ctx, bucket); errors.Is(err, stocktake.ErrNoSuchBucket) {
		return err // a store that does not answer only causes a warning
	}
	dst := &cfg.Destination
	if s.opts.StoresOnly {
		if err := s.checkShared(bucket, dst); err != nil {
			return err
		}
	}
	if source.Owner != "" && dst.AccountID != source.Owner && !s.opts.AnyDestination {
		return &stocktake.InvalidArgumentError{
			Element: destinationElement + "/AccountId", Value: dst.AccountID, EC: "0020-00000028",
			Reason: "it must be the id of the account that owns the bucket",
		}
	}
	if err := s.checkDestination(ctx, &source, dst); err != nil {
		return err
	}
	if err := s.reach(ctx, dst.Bucket); errors.Is(err, stocktake.ErrNoSuchBucket) {
		return refuseBucket(dst, "0020-00000032", noSuchBucket)
	}
	if err := s.checkFolder(ctx, bucket, cfg); err != nil {
		return err
	}
	if cfg.Incremental != nil && cfg.Incremental.IsEnabled {
		if err := s.mayReportChanges(bucket); err != nil {
			return err
		}
	}
	if dst.Encryption != (stocktake.Encryption{}) {
		if err := s.opts.Encrypts(ctx, bucket, cfg); err != nil {
			return err
		}
	}
	if err := checkKeys(bucket, cfg); err != nil { // no run could succeed
		return err
	}
	if s.opts.Strict == nil || !s.opts.Strict() {
		return nil
	}
	return s.mayReport(ctx, bucket, cfg)
}

// reach asks the named store of a bucket whether it exists. Buckets of the embedded store are known
// to exist.
func (s *Service) reach(ctx context.Context, bucket string) error {
	if s.buckets.StoreOf(bucket) == "" {
		return nil
	}
	return s.buckets.CheckBucket(ctx, bucket)
}

// checkShared refuses buckets that only one of several processes has.
func (s *Service) checkShared(bucket string, dst *stocktake.Destination) error {
	const reason = "it is a bucket of the embedded store of one server, and several servers share these configurations: " +
		"use buckets of a named store (stores in the settings file)"
	if s.buckets.StoreOf(bucket) == "" {
		return &stocktake.InvalidArgumentError{Element: "Bucket", Value: bucket, Reason: reason}
	}
	if s.buckets.StoreOf(dst.Bucket) == "" {
		return refuseBucket(dst, "", reason)
	}
	return nil
}

// mayReportChanges returns nil if changes of the bucket can be reported.
func (s *Service) mayReportChanges(bucket string) error {
	switch store := s.buckets.StoreOf(bucket); {
	case s.opts.Journal == nil:
		return stocktake.ErrIncrementalDisabled
	case store != "":
		return &stocktake.IncrementalDisabledError{Reason: fmt.Sprintf("the bucket %s is in the store %s, which does not record changes", bucket, store)}
	}
	return nil
}

// checkFolder refuses a configuration whose reports would share a folder with those of another:
// each would take the other's files for its own. Two ids without a slash never share a folder,
// because its path ends in bucket and id.
func (s *Service) checkFolder(ctx context.Context, bucket string, cfg *stocktake.InventoryConfiguration) error {
	nested, err := s.catalog.NestedConfigurations(ctx)
	if err != nil {
		return err
	}
	folder := reportFolder(bucket, cfg)
	for i := range nested {
		other := &nested[i]
		if other.Configuration.Destination.Bucket != cfg.Destination.Bucket || reportFolder(other.Bucket, &other.Configuration) != folder ||
			other.Bucket == bucket && other.Configuration.ID == cfg.ID {
			continue
		}
		return &stocktake.InvalidArgumentError{
			Element: destinationElement + "/Prefix", Value: cfg.Destination.Prefix,
			Reason: fmt.Sprintf("the configuration %s of bucket %s writes its reports to the same folder, %s: choose another prefix or id",
				other.Configuration.ID, other.Bucket, folder),
		}
	}
	return nil
}

// reportFolder returns the folder of a configuration's reports in its
// destination.
func reportFolder(bucket string, cfg *stocktake.InventoryConfiguration) string {
	folder := bucket + "/" + cfg.ID + "/"
	if cfg.Destination.Prefix != "" {
		folder = cfg.Destination.Prefix + "/" + folder
	}
	return folder
}

func (s *Service) mayReport(ctx context.Context, bucket string, cfg *stocktake.InventoryConfiguration) error {
	if s.opts.Roles == nil {
		return nil
	}
	return s.opts.Roles.MayReport(ctx, bucket, cfg)
}

// longestName is more bytes than the key of any file of a report has after the
// folder of its configuration.
const longestName = 200

// checkKeys checks the length of the keys of the reports to come.
func checkKeys(bucket string, cfg *stocktake.InventoryConfiguration) error {
	if len(reportFolder(bucket, cfg)) <= stocktake.MaxKeyLength-longestName {
		return nil // whatever the format
	}
	format, err := report.FormatNamed(cfg.Destination.Format)
	if err != nil {
		return err
	}
	at := report.Location{Prefix: cfg.Destination.Prefix, Bucket: bucket, Configuration: cfg.ID}
	if reportsChanges(cfg) {
		if err := at.CheckWindowKeys(); err != nil {
			return err
		}
	}
	return at.CheckKeys(format)
}

const noSuchBucket = "there is no such bucket"

func refuseBucket(dst *stocktake.Destination, ec, reason string) error {
	return &stocktake.InvalidArgumentError{Element: bucketElement, Value: stocktake.BucketARN(dst.Bucket), EC: ec, Reason: reason}
}

func (s *Service) checkDestination(ctx context.Context, source *object.Bucket, dst *stocktake.Destination) error {
	refuse := func(ec, reason string) error { return refuseBucket(dst, ec, reason) }
	if len(dst.Bucket) < 3 || len(dst.Bucket) > 63 {
		return refuse("0020-00000031", "the name of a bucket has 3 to 63 characters")
	}
	const badName = "the name of a bucket has a to z, 0 to 9 and '-', and '-' at neither end"
	ofOSS := stocktake.ValidBucketName(dst.Bucket)
	if !ofOSS && !stocktake.ValidS3BucketName(dst.Bucket) {
		return refuse("0020-00000032", badName)
	}
	b, err := s.buckets.Bucket(ctx, dst.Bucket)
	switch {
	case !ofOSS && (errors.Is(err, stocktake.ErrNoSuchBucket) || err == nil && !b.S3):
		return refuse("0020-00000032", badName)
	case errors.Is(err, stocktake.ErrNoSuchBucket):
		return refuse("0020-00000032", noSuchBucket)
	case err != nil:
		return fmt.Errorf("look up the destination bucket %s: %w", dst.Bucket, err)
	case s.opts.AnyDestination:
		return nil
	case b.Owner != "" && dst.AccountID != b.Owner:
		return refuse("0020-00000033", "the bucket belongs to another account")
	case b.Region != "" && source.Region != "" && b.Region != source.Region:
		return refuse("0020-00000019", "the bucket is in another region")
	}
	return nil
}

// encryptsNothing is Options.Encrypts of a server without keys.
func encryptsNothing(_ context.Context, _ string, cfg *stocktake.InventoryConfiguration) error {
	e := cfg.Destination.Encryption
	if e.SSEKMS {
		return &stocktake.InvalidArgumentError{
			Element: encryptionElement + "/SSE-KMS", Value: e.KeyID, EC: "0005-00000201",
			Reason: "this server has no KMS",
		}
	}
	return &stocktake.InvalidArgumentError{Element: encryptionElement + "/SSE-OSS", Reason: "this server cannot encrypt objects"}
}
