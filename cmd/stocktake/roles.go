package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/inventory"
	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/ram"
	"github.com/stocktake/stocktake/report"
)

// roles decides whether the role of a configuration may make its reports.
//
// The role must exist and trust oss.aliyuncs.com, and it needs, by its policies
// or by those of the buckets,
//
//   - oss:PutObject on the destination's keys below the configuration's folder;
//   - oss:ListObjects on the source, or oss:ListObjectVersions for reports of all
//     versions: a report tells what a listing tells. It reads no object, so
//     oss:GetObject is not needed.
//
// OSS documents the first only; its older texts ask for reading, too. Without the
// second, whoever may put a configuration could have reports of a bucket made
// that the role, the owner's word on it, was never given.
//
// In development mode a role that nobody defined, while there is none at all,
// has the rights of its account; see [ram.Directory.RoleIdentity].
//
// Source: OSS user guide, bucket inventory; spec inventory-api.md, section 7.
type roles struct {
	access  roleAccess
	buckets bucketStates
	now     func() time.Time
}

// roleAccess is what roles needs of a [ram.Directory].
type roleAccess interface {
	RoleIdentity(arn string) (ram.Identity, error)
	Allowed(who ram.Identity, q ram.Request) error
}

// bucketStates is what roles needs of a store.
type bucketStates interface {
	Bucket(ctx context.Context, name string) (object.Bucket, error)
}

var _ inventory.Roles = roles{}

// MayReport implements [inventory.Roles]. A refusal is a *ram.DeniedError that
// names all that is missing.
func (r roles) MayReport(ctx context.Context, bucket string, cfg *stocktake.InventoryConfiguration) error {
	dst := &cfg.Destination
	who, err := r.access.RoleIdentity(dst.RoleARN)
	if err != nil {
		return roleRefused(dst.RoleARN, err)
	}
	source, err := r.buckets.Bucket(ctx, bucket)
	if err != nil {
		return fmt.Errorf("look at the source bucket %s: %w", bucket, err)
	}
	destination, err := r.buckets.Bucket(ctx, dst.Bucket)
	if err != nil {
		return fmt.Errorf("look at the destination bucket %s: %w", dst.Bucket, err)
	}

	list := request("oss:ListObjects", &source, "")
	if cfg.IncludedObjectVersions == stocktake.AllVersions {
		list.Action = "oss:ListObjectVersions"
	}
	list.Conditions = map[string]string{"oss:Prefix": cfg.Filter.Prefix, "oss:Delimiter": ""}
	asked := []ram.Request{list}
	// One key of each kind stands for all.
	at := report.Location{Prefix: dst.Prefix, Bucket: bucket, Configuration: cfg.ID}
	for _, key := range []string{
		at.Data() + "00000000-0000-8000-8000-000000000000.csv.gz",
		at.Directory(r.now()) + "manifest.json",
	} {
		asked = append(asked, request("oss:PutObject", &destination, key))
	}
	return r.allowed(who, asked)
}

// request is a question about a bucket, or a key of it, as the inventory
// service itself asks: from within.
func request(action string, b *object.Bucket, key string) ram.Request {
	return ram.Request{
		Action: action, Bucket: b.Name, Owner: b.Owner, Key: key, BucketACL: b.ACL,
		Policy:      b.Policy,
		BlockPublic: b.BlockPublicAccess,
		Secure:      true,
	}
}

// allowed asks all questions and names each action and bucket that is denied.
func (r roles) allowed(who ram.Identity, asked []ram.Request) error {
	var first *ram.DeniedError
	var missing []string
	named := map[[2]string]bool{}
	for _, q := range asked {
		err := r.access.Allowed(who, q)
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

// roleRefused is the answer to a role that cannot be assumed at all.
func roleRefused(arn string, err error) error {
	var why, advice string
	switch {
	case errors.Is(err, ram.ErrNoSuchRole):
		why, advice = fmt.Sprintf("the role %s does not exist", arn), makeRole(arn)
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

// makeRole says how there comes to be a role of this ARN.
func makeRole(arn string) string {
	rest, isARN := strings.CutPrefix(arn, "acs:ram::")
	account, name, isRole := strings.Cut(rest, ":role/")
	if !isARN || !isRole {
		return "name one as acs:ram::ACCOUNT:role/NAME (stocktake role list)"
	}
	command := "stocktake role create " + name
	if account != defaultAccount {
		command += " --account-id " + account
	}
	return "make it (" + command + " --attach POLICY), or name another (stocktake role list)"
}

// A roleError is a denial that says what is missing and what to do, to callers
// of the API and in the history of runs alike.
type roleError struct {
	text, advice string
	denied       *ram.DeniedError
}

func newRoleError(text, advice string, denied ram.DeniedError) *roleError {
	denied.Message = text + ": " + advice
	return &roleError{text, advice, &denied}
}

func (e *roleError) Error() string { return e.text }

// Advice is for the reason of a run that failed; see [inventory.Reason].
func (e *roleError) Advice() string { return e.advice }

// Unwrap gives the *ram.DeniedError, and so stocktake.ErrAccessDenied.
func (e *roleError) Unwrap() error { return e.denied }

// rolesDefined reports whether somebody has said who may do what: from then on a
// configuration whose role may not do its work is refused when it is put.
func rolesDefined(access *ram.Directory, account string) bool {
	roles, err := access.Roles(account)
	return err == nil && len(roles) > 0
}
