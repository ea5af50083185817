package bucket

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/ram"
	"github.com/stocktake/stocktake/report"
)

// MayReport returns nil if the role of cfg may make its reports of bucket. The
// role must exist and trust oss.aliyuncs.com, and it needs, by its own policies
// or by those of the buckets,
//
//   - oss:PutObject on the destination's keys below the configuration's folder;
//   - oss:ListObjects on the source, or oss:ListObjectVersions for reports of all
//     versions: a report shows what a listing shows. It reads no object, so
//     oss:GetObject is not needed.
//
// OSS documents only the first. Without the second, a caller who may put a
// configuration could get reports of a bucket that the role has no rights on.
//
// If source or destination is a bucket of a named store, the settings of that store must also allow
// the role, because its credentials belong to another party.
//
// In development mode, while no role is defined, any role has the rights of its
// account; see [ram.Directory.RoleIdentity].
//
// A refusal is a *ram.DeniedError that names everything that is missing. Other errors mean that the
// check could not be made.
//
// Source: OSS user guide, bucket inventory; spec inventory-api.md, section 7.
func (r *Registry) MayReport(ctx context.Context, bucket string, cfg *stocktake.InventoryConfiguration) error {
	dst := &cfg.Destination
	role, err := r.opts.Access.RoleIdentity(dst.RoleARN)
	if err != nil {
		return r.roleRefused(dst.RoleARN, err)
	}
	source, err := r.Bucket(ctx, bucket)
	if err != nil {
		return fmt.Errorf("look up the source bucket %s: %w", bucket, err)
	}
	destination, err := r.Bucket(ctx, dst.Bucket)
	if err != nil {
		return fmt.Errorf("look up the destination bucket %s: %w", dst.Bucket, err)
	}

	for _, name := range []string{bucket, dst.Bucket} {
		if err := r.mayUse(name, role, dst.RoleARN); err != nil {
			return err
		}
	}

	list := ram.BucketRequest("oss:ListObjects", &source, "")
	if cfg.IncludedObjectVersions == stocktake.AllVersions {
		list.Action = "oss:ListObjectVersions"
	}
	list.Conditions = map[string]string{"oss:Prefix": cfg.Filter.Prefix, "oss:Delimiter": ""}
	asked := []ram.Request{list}
	format, err := report.FormatNamed(dst.Format)
	if err != nil {
		return err
	}
	// One key of each kind represents all.
	at := report.Location{Prefix: dst.Prefix, Bucket: bucket, Configuration: cfg.ID}
	keys := []string{
		at.Data() + "00000000-0000-8000-8000-000000000000" + format.Suffix(),
		at.Directory(r.opts.Now()) + "manifest.json",
	}
	if cfg.Incremental != nil && cfg.Incremental.IsEnabled {
		keys = append(keys, at.Window(r.opts.Now())+"manifest.json")
	}
	for _, key := range keys {
		asked = append(asked, ram.BucketRequest("oss:PutObject", &destination, key))
	}
	return r.allowed(role, asked)
}

// MayRemove returns nil if the role of cfg may permanently remove the keys from the destination, as
// retention does: oss:DeleteObject, or oss:DeleteObjectVersion once the bucket has had versioning.
// OSS has no retention of reports. Without this check, a caller who may put a configuration could
// remove objects that the role and the bucket's policy protect.
//
// The errors are those of [Registry.MayReport].
func (r *Registry) MayRemove(ctx context.Context, cfg *stocktake.InventoryConfiguration, keys []string) error {
	role, err := r.opts.Access.RoleIdentity(cfg.Destination.RoleARN)
	if err != nil {
		return r.roleRefused(cfg.Destination.RoleARN, err)
	}
	destination, err := r.Bucket(ctx, cfg.Destination.Bucket)
	if err != nil {
		return fmt.Errorf("look up the destination bucket %s: %w", cfg.Destination.Bucket, err)
	}
	if err := r.mayUse(cfg.Destination.Bucket, role, cfg.Destination.RoleARN); err != nil {
		return err
	}
	action := "oss:DeleteObject"
	if destination.Versioning != object.Unversioned {
		action = "oss:DeleteObjectVersion"
	}
	asked := make([]ram.Request, len(keys))
	for i, key := range keys {
		asked[i] = ram.BucketRequest(action, &destination, key)
	}
	return r.allowed(role, asked)
}

// mayUse returns nil if the bucket is in the embedded store, or if the settings of its store allow
// the role to use it.
func (r *Registry) mayUse(bucket string, role ram.Identity, arn string) error {
	st, _ := r.find(bucket)
	if st == nil {
		return nil
	}
	if err := st.Service.Allows(arn); err != nil {
		return newRoleError(err.Error(), "name the role in roles of the store "+st.Name+" in the settings file, or use another role", ram.DeniedError{
			Reason: ram.Implicit, Who: role, Action: "oss:ListObjects", Resource: stocktake.BucketARN(bucket), EC: "0003-00000001",
		})
	}
	return nil
}

// allowed decides all requests and names each action and bucket that is denied.
func (r *Registry) allowed(role ram.Identity, asked []ram.Request) error {
	var first *ram.DeniedError
	var missing []string
	named := map[[2]string]bool{}
	for _, q := range asked {
		q.Secure = true // the service itself asks, within the process
		err := r.opts.Access.Allowed(role, q)
		if err == nil {
			continue
		}
		denied, ok := errors.AsType[*ram.DeniedError](err)
		if !ok {
			return err
		}
		if first == nil {
			first = denied
		}
		if what := [2]string{q.Action, q.Bucket}; !named[what] {
			named[what] = true
			missing = append(missing, denied.Error())
		}
	}
	if first == nil {
		return nil
	}
	const advice = "give the role a policy that allows it (stocktake policy put, stocktake role attach)"
	return newRoleError(strings.Join(missing, "; "), advice, *first)
}

// roleRefused returns the error for a role that the service cannot assume.
func (r *Registry) roleRefused(arn string, err error) error {
	var why, advice string
	switch {
	case errors.Is(err, ram.ErrNoSuchRole):
		why, advice = fmt.Sprintf("the role %s does not exist", arn), r.createAdvice(arn)
	case errors.Is(err, ram.ErrNotTrusted):
		why = fmt.Sprintf("the trust policy of the role %s does not let %s assume it", arn, ram.InventoryService)
		advice = "let it (stocktake role trust)"
	default:
		return fmt.Errorf("role %s: %w", arn, err)
	}
	service := ram.Identity{Kind: ram.KindService, Name: ram.InventoryService, ARN: ram.InventoryService}
	return newRoleError(why, advice, ram.DeniedError{
		Reason: ram.Implicit, Who: service, Action: "sts:AssumeRole", Resource: arn, EC: "0003-00000001",
	})
}

// createAdvice returns the command that creates the role of this ARN.
func (r *Registry) createAdvice(arn string) string {
	rest, isARN := strings.CutPrefix(arn, "acs:ram::")
	account, name, isRole := strings.Cut(rest, ":role/")
	if !isARN || !isRole {
		return "name one as acs:ram::ACCOUNT:role/NAME (stocktake role list)"
	}
	command := "stocktake role create " + name
	if account != r.opts.Account {
		command += " --account-id " + account
	}
	return "make it (" + command + " --attach POLICY), or name another (stocktake role list)"
}

// A roleError is a denial that names the missing right and the remedy, for callers of the API and
// the history of runs.
type roleError struct {
	text, advice string
	denied       *ram.DeniedError
}

func newRoleError(text, advice string, denied ram.DeniedError) *roleError {
	denied.Message = text + ": " + advice
	return &roleError{text, advice, &denied}
}

func (e *roleError) Error() string { return e.text }

// Advice returns the advice for the reason of a failed run; see inventory.Reason.
func (e *roleError) Advice() string { return e.advice }

// Unwrap returns the *ram.DeniedError, and through it stocktake.ErrAccessDenied.
func (e *roleError) Unwrap() error { return e.denied }
