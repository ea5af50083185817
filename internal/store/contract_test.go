package store_test

import (
	"strings"
	"testing"

	"github.com/stocktake/stocktake/internal/engine"
	"github.com/stocktake/stocktake/internal/engine/sourcetest"
	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/ossapi"
	"github.com/stocktake/stocktake/internal/store"
)

var _ ossapi.Store = (*store.Store)(nil)

func TestSource(t *testing.T) {
	sourcetest.Run(t, func(t *testing.T) sourcetest.Fixture {
		s := open(t, t.TempDir(), store.Options{})
		bucket(t, s, object.Unversioned)
		return sourcetest.Fixture{
			Source: s.Source(), Bucket: "b",
			Put: func(key string, size int) { put(t, s, key, strings.Repeat("x", size)) },
			Delete: func(key string) {
				if _, err := s.Delete(t.Context(), object.Version{Bucket: "b", Key: key}); err != nil {
					t.Error(err)
				}
			},
			SetVersioning: func(enabled bool) {
				if err := s.UpdateBucket(t.Context(), "b", func(b *object.Bucket) error {
					if b.Versioning = object.Suspended; enabled {
						b.Versioning = object.Enabled
					}
					return nil
				}); err != nil {
					t.Error(err)
				}
			},
		}
	})
}

func TestDestinationPromises(t *testing.T) {
	for _, v := range []object.Versioning{object.Unversioned, object.Enabled, object.Suspended} {
		t.Run("versioning="+v.String(), func(t *testing.T) {
			sourcetest.RunDestination(t, func(t *testing.T) engine.Destination {
				s := open(t, t.TempDir(), store.Options{})
				bucket(t, s, v)
				return s.Destination("b")
			})
		})
	}
}
