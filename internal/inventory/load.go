package inventory

// A Load is how many runs a service has to make now.
type Load struct {
	Waiting int // queued
	Running int // scanned or published; at most Options.MaxRuns between two stores
}

// Load returns the load of this process.
func (s *Service) Load() Load {
	s.mu.Lock()
	defer s.mu.Unlock()
	return Load{Waiting: s.queue.len(), Running: len(s.active)}
}
