package foreign

import (
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/engine"
	"github.com/stocktake/stocktake/internal/remote"
)

// ErrNoEncryption means that a store does not encrypt objects as requested.
var ErrNoEncryption = errors.New("the store does not encrypt objects that way")

const (
	// encryptionTimeout bounds the check of a store's encryption. A user waits for
	// the result.
	encryptionTimeout = 5 * time.Second

	// A result is cached for this long, so that the status of many configurations
	// needs one check.
	encryptionCachedFor = 10 * time.Minute

	maxEncryptions = 1000 // cached results
)

// encryptions caches the results of the checks of a store's encryption.
type encryptions struct {
	mu      sync.Mutex
	answers map[encryptionQuestion]encryptionAnswer
}

type encryptionQuestion struct {
	client     Client
	bucket     string
	encryption stocktake.Encryption
}

type encryptionAnswer struct {
	until time.Time
	err   error
}

// Encrypts writes a small object to a bucket of the store, as a role would write
// reports, checks that it is encrypted as requested, and removes it. bucket is the
// name in the store. Encrypts returns ErrNoEncryption, wrapped, if the object is
// not encrypted so. It returns nil if it is, or if this cannot be determined now.
// key must be one that nothing else uses. Results are cached for minutes.
func (s *Store) Encrypts(ctx context.Context, role, bucket, key string, e stocktake.Encryption) error {
	c, err := s.client(role)
	if err != nil {
		return nil // other checks report a role that may not use the store
	}
	q := encryptionQuestion{c, bucket, e}
	s.encryptions.mu.Lock()
	a, ok := s.encryptions.answers[q]
	s.encryptions.mu.Unlock()
	if ok && time.Now().Before(a.until) {
		return a.err
	}
	ctx, cancel := context.WithTimeout(ctx, encryptionTimeout)
	defer cancel()
	known, err := tryEncryption(ctx, c, bucket, key, e)
	if !known {
		s.log.Info("cannot find out whether the store encrypts reports", "bucket", bucket, "err", err)
		return nil
	}
	s.encryptions.mu.Lock()
	defer s.encryptions.mu.Unlock()
	if s.encryptions.answers == nil || len(s.encryptions.answers) >= maxEncryptions {
		s.encryptions.answers = map[encryptionQuestion]encryptionAnswer{}
	}
	s.encryptions.answers[q] = encryptionAnswer{time.Now().Add(encryptionCachedFor), err}
	return err
}

// tryEncryption reports whether the encryption of the store could be determined. If
// so, err is nil or ErrNoEncryption; else err is the reason.
func tryEncryption(ctx context.Context, c Client, bucket, key string, e stocktake.Encryption) (known bool, err error) {
	d := c.Destination(bucket)
	f, err := d.Create(ctx, key, engine.FileOptions{ContentType: "text/plain", Encryption: e})
	if err == nil {
		defer f.Abort()
		err = f.Commit(ctx, md5.Sum(nil))
	}
	if err != nil {
		if answer, ok := errors.AsType[*remote.Error](err); ok && refusesHeader(answer.Status) {
			return true, fmt.Errorf("%w: %w", ErrNoEncryption, err)
		}
		return false, err
	}
	defer func() { err = errors.Join(err, d.Remove(ctx, key)) }()
	snap, err := c.Source().Snapshot(ctx, bucket)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, snap.Close()) }()
	detailed, ok := snap.(engine.DetailedSnapshot)
	if !ok {
		return true, nil
	}
	record := []stocktake.Record{{Key: []byte(key), Missing: stocktake.MissingEncryption}}
	err = detailed.Fetch(ctx, record, []stocktake.Field{stocktake.FieldEncryptionStatus}, func(int) bool { return true })
	switch {
	case err != nil || record[0].Missing != 0:
		return false, err
	case !record[0].Encrypted:
		return true, fmt.Errorf("%w: it accepts the object and stores it unencrypted", ErrNoEncryption)
	}
	return true, nil
}

// refusesHeader reports whether a status means that the request itself is not
// accepted, from any sender and at any time.
func refusesHeader(status int) bool {
	return status == http.StatusBadRequest || status == http.StatusNotImplemented || status == http.StatusMethodNotAllowed || status == http.StatusUnprocessableEntity
}
