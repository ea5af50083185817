package store

import (
	"bytes"
	"errors"

	"github.com/cockroachdb/pebble/v2"
)

// A gap is a range of keys of the index that cannot be read: after the key
// After, before the key Before.
type gap struct {
	After, Before []byte
	Err           error
}

// eachReadable calls f with every key and value of a range that can be read, in order, and lost
// with every gap: a damaged block hides only its own keys. f and lost must not keep their
// arguments. The error is that of f or lost, or one that is not damage.
func eachReadable(from reader, lower, upper []byte, f func(key, value []byte) error, lost func(gap) error) error {
	for {
		last, err := readUntilDamage(from, lower, upper, f)
		if err == nil || !pebble.IsCorruptionError(err) {
			return err
		}
		if last == nil {
			last = lower
		}
		next, found := behindDamage(from, last, upper)
		if err := lost(gap{last, next, err}); err != nil || !found {
			return err
		}
		lower = next
	}
}

// readUntilDamage calls f up to the first key that cannot be read. last is the
// last key before it.
func readUntilDamage(from reader, lower, upper []byte, f func(key, value []byte) error) (last []byte, err error) {
	it, err := from.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	if err != nil {
		return nil, err
	}
	defer func() {
		// Close repeats the error of the iterator.
		if closeErr := it.Close(); err == nil {
			err = closeErr
		}
	}()
	for ok := it.First(); ok; ok = it.Next() {
		value, err := it.ValueAndErr()
		if err != nil {
			return last, err
		}
		last = append(last[:0], it.Key()...)
		if err := f(it.Key(), value); err != nil {
			return last, err
		}
	}
	return last, it.Error()
}

// behindDamage finds the first key after lo from which the index can be read again, by bisection: a
// seek fails within the damaged block and succeeds after it. found is false if there is none before
// upper, which is returned then.
func behindDamage(from reader, lo, upper []byte) (next []byte, found bool) {
	lo, hi := bytes.Clone(lo), bytes.Clone(upper)
	for {
		mid, ok := middle(lo, hi)
		if !ok {
			break
		}
		key, err := firstFrom(from, mid, upper)
		switch {
		case err != nil:
			lo = mid
		case key == nil: // nothing follows
			hi = mid
		default:
			hi, next = mid, key
		}
	}
	if next == nil {
		return upper, false
	}
	return next, true
}

// firstFrom returns the first key of a range; nil if it is empty.
func firstFrom(from reader, lower, upper []byte) ([]byte, error) {
	it, err := from.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	if err != nil {
		return nil, err
	}
	var key []byte
	if it.First() {
		if _, err := it.ValueAndErr(); err != nil {
			return nil, errors.Join(err, it.Close())
		}
		key = bytes.Clone(it.Key())
	}
	return key, errors.Join(it.Error(), it.Close())
}
