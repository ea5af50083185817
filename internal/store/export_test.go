package store

// Settle waits until what the last process left behind is removed.
func (s *Store) Settle() { s.sweeping.Wait() }
