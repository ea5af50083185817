package configtest_test

import (
	"reflect"
	"testing"

	"github.com/stocktake/stocktake/internal/configtest"
)

// The formats of a configuration are tested with Samples, so a format could lack a field that
// has no value there.
func TestSamplesHaveEveryField(t *testing.T) {
	set := map[string]bool{}
	for _, c := range configtest.Samples() {
		if err := c.Validate(configtest.Rules(c.ID)); err != nil {
			t.Errorf("%s: %v", c.ID, err)
		}
		walk(reflect.ValueOf(c), "", set)
	}
	for name, ok := range set {
		if !ok {
			t.Errorf("no sample has a value for InventoryConfiguration%s", name)
		}
	}
	if !set[".Incremental.Frequency"] || !set[".Filter.StorageClass"] {
		t.Errorf("the walk does not reach every field: %v", set)
	}
}

// walk records for each field below v whether it has a value.
func walk(v reflect.Value, name string, set map[string]bool) {
	if v.Kind() == reflect.Pointer && v.Type().Elem().Kind() == reflect.Struct {
		if v.IsNil() {
			v = reflect.New(v.Type().Elem())
		}
		v = v.Elem()
	}
	if v.Kind() != reflect.Struct {
		set[name] = set[name] || !v.IsZero()
		return
	}
	for i := range v.NumField() {
		walk(v.Field(i), name+"."+v.Type().Field(i).Name, set)
	}
}
