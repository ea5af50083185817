package ossapi

import (
	"net/http"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/ossapi/request"
	"github.com/stocktake/stocktake/internal/ossxml"
)

// changeObject changes the state of the version that the request names, and
// answers without a body.
func (c *call) changeObject(status int, change func(*object.Info) error) error {
	v, err := c.version()
	if err != nil {
		return err
	}
	info, err := c.Store.UpdateObject(c.ctx, c.origin(), v, change)
	if err != nil {
		return c.markerDetail(err, v)
	}
	c.set("X-Oss-Version-Id", info.VersionID)
	return c.empty(status)
}

// putObjectACL answers PutObjectAcl.
func (c *call) putObjectACL() error {
	acl, err := c.objectACL(true)
	if err != nil {
		return err
	}
	return c.changeObject(http.StatusOK, func(info *object.Info) error {
		info.ACL = acl
		return nil
	})
}

// getObjectACL answers GetObjectAcl.
func (c *call) getObjectACL() error {
	info, err := c.stateOf()
	if err != nil {
		return err
	}
	return c.accessControl(info.ACL)
}

// stateOf is the state of the version that the request names, symlinks not
// followed.
func (c *call) stateOf() (object.Info, error) {
	v, err := c.version()
	if err != nil {
		return object.Info{}, err
	}
	info, err := c.Store.Head(c.ctx, v)
	if err != nil {
		return info, c.markerDetail(err, v)
	}
	c.set("X-Oss-Version-Id", info.VersionID)
	return info, nil
}

// putObjectTagging answers PutObjectTagging.
func (c *call) putObjectTagging() error {
	tags, err := c.readTagging(maxObjectTags)
	if err != nil {
		return err
	}
	return c.changeObject(http.StatusOK, func(info *object.Info) error {
		info.Tags = tags
		return nil
	})
}

// getObjectTagging answers GetObjectTagging.
func (c *call) getObjectTagging() error {
	info, err := c.stateOf()
	if err != nil {
		return err
	}
	return c.tagging(info.Tags)
}

// deleteObjectTagging answers DeleteObjectTagging.
func (c *call) deleteObjectTagging() error {
	return c.changeObject(http.StatusNoContent, func(info *object.Info) error {
		info.Tags = nil
		return nil
	})
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
	c.set("X-Oss-Version-Id", info.VersionID)
	if info.StorageClass >= stocktake.ColdArchive {
		c.set("X-Oss-Object-Restore-Priority", orStandard(tier))
	}
	if started {
		return c.empty(http.StatusAccepted)
	}
	return c.empty(http.StatusOK)
}

const day = 24 * time.Hour

// restoreDays is how long a restored object stays readable: a day, unless the
// request says otherwise.
//
// Source: OSS API reference, RestoreObject, Days: 1 to 365.
func restoreDays(doc *ossxml.Element) (time.Duration, error) {
	v := doc.Value("Days")
	if v == "" {
		return day, nil
	}
	n, ok := parseOffset(v)
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
// that OSS gives.
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
