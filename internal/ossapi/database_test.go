package ossapi_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/ossapi"
)

// databaseAway is an inventory service whose database does not answer.
type databaseAway struct{ ossapi.Inventories }

func (databaseAway) Get(context.Context, string, string) ([]byte, error) {
	return nil, fmt.Errorf("catalog: read configuration: %w", object.ErrUnavailable)
}

func (databaseAway) ForgetDeleted(_ context.Context, bucket string) error {
	if bucket == "deleted" {
		return fmt.Errorf("catalog: remove bucket: %w", object.ErrUnavailable)
	}
	return nil
}

// If the database is unavailable, the error is temporary: clients retry.
func TestDatabaseAway(t *testing.T) {
	w := newWorld(t, func(c *ossapi.Config) { c.Inventories = databaseAway{} })
	w.bucket(t, "photos")
	w.refused(t, w.do(t, "GET", "/photos?inventory&inventoryId=daily", "", nil), 503, "ServiceUnavailable")

	// A new bucket must not inherit the configurations of a deleted one.
	w.refused(t, w.do(t, "PUT", "/deleted", "", nil), 503, "ServiceUnavailable")
	w.refused(t, w.do(t, "GET", "/deleted", "", nil), 404, "NoSuchBucket")
}
