package ossapi

import (
	"net/http"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/ossapi/request"
	"github.com/stocktake/stocktake/internal/ossxml"
)

// A restoreState is the progress of restoring an archived object.
type restoreState uint8

const (
	notRestored restoreState = iota
	restoring
	restored
)

func restoreOf(info *object.Info, now time.Time) restoreState {
	r := &info.Restore
	switch {
	case r.Requested.IsZero() || !now.Before(r.Expires):
		return notRestored
	case now.Before(r.Ready):
		return restoring
	}
	return restored
}

// restoreHeader returns the value of x-oss-restore; empty if the object was not
// restored.
func restoreHeader(info *object.Info, now time.Time) string {
	switch restoreOf(info, now) {
	case restoring:
		return `ongoing-request="true"`
	case restored:
		return `ongoing-request="false", expiry-date="` + lastModified(info.Restore.Expires) + `"`
	}
	return ""
}

// restoreObject answers RestoreObject.
func (c *call) restoreObject() error {
	doc, err := c.body.OptionalXML("RestoreRequest")
	if err != nil {
		return err
	}
	days, err := restoreDays(doc)
	if err != nil {
		return err
	}
	tier := doc.Child("JobParameters").Value("Tier")
	now, started := c.Now(), false
	v, err := c.version()
	if err != nil {
		return err
	}
	info, err := c.Store.UpdateObject(c.ctx, c.origin(), v, func(info *object.Info) error {
		if info.StorageClass == stocktake.Archive && doc.Child("JobParameters") != nil {
			return ossxml.Malformed("objects of class Archive take no JobParameters")
		}
		wait, err := restoreTime(info.StorageClass, tier)
		if err != nil {
			return err
		}
		switch restoreOf(info, now) {
		case restoring:
			return object.ErrRestoreOngoing
		case restored:
			started = false
			info.Restore.Expires = now.Add(days)
		default:
			started = true
			info.Restore = object.Restore{Requested: now, Ready: now.Add(wait), Expires: now.Add(wait + days)}
		}
		return nil
	})
	if err != nil {
		return c.markerDetail(err, v)
	}
	c.set("x-oss-version-id", info.VersionID)
	if info.StorageClass >= stocktake.ColdArchive {
		c.set("x-oss-object-restore-priority", orStandard(tier))
	}
	if started {
		return c.empty(http.StatusAccepted)
	}
	return c.empty(http.StatusOK)
}

const day = 24 * time.Hour

// restoreDays returns how long a restored object stays readable: a day, unless the
// request says otherwise.
//
// Source: OSS API reference, RestoreObject, Days: 1 to 365.
func restoreDays(doc *ossxml.Element) (time.Duration, error) {
	v := doc.Value("Days")
	if v == "" {
		return day, nil
	}
	n, ok := request.ParseDigits(v)
	if !ok || n < 1 || n > 365 {
		return 0, request.InvalidArgument("Days", v, "a number from 1 to 365 is expected")
	}
	return time.Duration(n) * day, nil
}

func orStandard(tier string) string {
	if tier == "" {
		return "Standard"
	}
	return tier
}

// restoreTimes is how long restoring takes, by class and priority: the shortest
// times that OSS documents.
//
// Source: OSS API reference, RestoreObject, Tier.
var restoreTimes = map[stocktake.StorageClass]map[string]time.Duration{
	stocktake.Archive:         {"": time.Minute},
	stocktake.ColdArchive:     {"Expedited": time.Hour, "Standard": 2 * time.Hour, "Bulk": 5 * time.Hour},
	stocktake.DeepColdArchive: {"Expedited": 12 * time.Hour, "Standard": 48 * time.Hour},
}

func restoreTime(class stocktake.StorageClass, tier string) (time.Duration, error) {
	times, ok := restoreTimes[class]
	if !ok {
		return 0, object.ErrNotArchived
	}
	if class != stocktake.Archive {
		tier = orStandard(tier)
	} else {
		tier = "" // it has one priority only
	}
	d, ok := times[tier]
	if !ok {
		return 0, request.InvalidArgument("Tier", tier, "the storage class has no such priority")
	}
	return d, nil
}

// cleanRestoredObject answers CleanRestoredObject: the object is archived again
// before its time.
func (c *call) cleanRestoredObject() error {
	now := c.Now()
	return c.changeObject(http.StatusOK, func(info *object.Info) error {
		switch {
		case !archived(info.StorageClass):
			return object.ErrNotArchived
		case restoreOf(info, now) != restored:
			return errRestoreUnfinished
		}
		info.Restore = object.Restore{}
		return nil
	})
}

// archived reports whether objects of a class must be restored to be read.
func archived(c stocktake.StorageClass) bool { return c >= stocktake.Archive }

// readable reports whether the content of an object can be read now.
func readable(info *object.Info, now time.Time) bool {
	return !archived(info.StorageClass) || restoreOf(info, now) == restored
}
