package lifecycle

import (
	"fmt"
	"strconv"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/object"
)

func checkAges(r *object.LifecycleRule) error {
	if r.Expiration != nil {
		if err := checkAge("Expiration", r.Expiration); err != nil {
			return err
		}
	}
	if r.AbortUploads != nil {
		if err := checkAge("AbortMultipartUpload", r.AbortUploads); err != nil {
			return err
		}
	}
	if r.NoncurrentExpiration < 0 || r.NoncurrentExpiration > maxDays {
		return invalid("NoncurrentVersionExpiration/NoncurrentDays", strconv.Itoa(r.NoncurrentExpiration), "", "a number of days is expected")
	}
	for i := range r.Transitions {
		if err := checkTransition("Transition", "0014-00000044", &r.Transitions[i]); err != nil {
			return err
		}
	}
	for i := range r.NoncurrentTransitions {
		t := &r.NoncurrentTransitions[i]
		if err := checkTransition("NoncurrentVersionTransition", "0014-00000062", t); err != nil {
			return err
		}
		if t.Days == 0 {
			return invalid("NoncurrentVersionTransition", "", "", "it needs NoncurrentDays")
		}
	}
	return nil
}

func checkTransition(element, ec string, t *object.LifecycleTransition) error {
	if t.StorageClass == stocktake.Standard || t.StorageClass >= stocktake.NumStorageClasses {
		return invalid(element+"/StorageClass", t.StorageClass.String(), ec, "IA, Archive, ColdArchive or DeepColdArchive is expected")
	}
	return checkAge(element, &t.LifecycleAge)
}

// The diagnostic codes of an element with two ages, or none.
var agesEC = map[string][2]string{
	"Expiration":           {"0014-00000061", "0014-00000060"},
	"Transition":           {"0014-00000050", ""},
	"AbortMultipartUpload": {"0014-00000074", "0014-00000073"},
}

func checkAge(element string, a *object.LifecycleAge) error {
	given := 0
	for _, set := range [...]bool{a.Days != 0, !a.Date.IsZero(), !a.CreatedBefore.IsZero()} {
		if set {
			given++
		}
	}
	switch {
	case given > 1:
		return invalid(element, "", agesEC[element][0], "only one of Days and CreatedBeforeDate may be given")
	case given == 0:
		return invalid(element, "", agesEC[element][1], "Days or CreatedBeforeDate is needed")
	case a.Days < 0 || a.Days > maxDays:
		return invalid(element+"/Days", strconv.Itoa(a.Days), "", "a number of days is expected")
	case !a.Date.Equal(midnight(a.Date)):
		return invalid(element+"/Date", a.Date.String(), "", "midnight UTC of a date is expected")
	case !a.CreatedBefore.Equal(midnight(a.CreatedBefore)):
		return invalid(element+"/CreatedBeforeDate", a.CreatedBefore.String(), "", "midnight UTC of a date is expected")
	}
	return nil
}

// checkOrder checks that colder classes come later, and deletion last.
func checkOrder(r *object.LifecycleRule) error {
	var end int
	if r.Expiration != nil {
		end = r.Expiration.Days
	}
	if err := checkSteps("Transition", "Expiration", "Days", r.Transitions, end); err != nil {
		return err
	}
	return checkSteps("NoncurrentVersionTransition", "NoncurrentVersionExpiration", "NoncurrentDays", r.NoncurrentTransitions, r.NoncurrentExpiration)
}

func checkSteps(step, last, days string, all []object.LifecycleTransition, end int) error {
	for i := range all {
		a := &all[i]
		for j := range all[:i] {
			b := &all[j]
			warm, cold := a, b
			if warm.StorageClass > cold.StorageClass {
				warm, cold = cold, warm
			}
			switch {
			case a.StorageClass == b.StorageClass:
				return invalid(step+"/StorageClass", a.StorageClass.String(), "", "the rule moves objects to it already")
			case (a.Days > 0) != (b.Days > 0):
				return invalid(step, "", "0014-00000080", days+" and CreatedBeforeDate cannot both be used")
			case warm.Days > 0 && cold.Days <= warm.Days:
				return invalid(step+"/"+days, strconv.Itoa(cold.Days), "", fmt.Sprintf(
					"%s in the %s action for StorageClass %s must be more than the %s action for StorageClass %s",
					days, step, cold.StorageClass, step, warm.StorageClass))
			}
		}
		if end > 0 && a.Days >= end {
			return invalid(last+"/"+days, strconv.Itoa(end), "", fmt.Sprintf(
				"%s in the %s action must be more than the %s action for StorageClass %s", days, last, step, a.StorageClass))
		}
	}
	return nil
}

// checkMixed refuses an expiration by date together with transitions by days,
// and the reverse.
func checkMixed(r *object.LifecycleRule) error {
	var days, dates bool
	see := func(a *object.LifecycleAge) {
		days = days || a.Days > 0
		dates = dates || a.Days == 0
	}
	if r.Expiration != nil {
		see(r.Expiration)
	}
	for i := range r.Transitions {
		see(&r.Transitions[i].LifecycleAge)
	}
	if days && dates {
		return ErrMixedAges
	}
	return nil
}
