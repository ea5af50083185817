// Package memo caches the parsed form of documents, for callers that parse the same
// few documents again and again.
package memo

import "sync"

// A Memo calls a parser once for each document and returns the same value from
// then on. That is right for ever, because a parser's result depends on the
// document alone. Errors are not remembered. A Memo is safe for concurrent use.
type Memo[T any] struct {
	parse func(document []byte) (T, error)
	max   int

	mu     sync.RWMutex
	parsed map[string]T // by document
}

// New returns a Memo of parse that remembers up to max documents; max is at
// least 1. A full one forgets an arbitrary document for each new one.
func New[T any](max int, parse func(document []byte) (T, error)) *Memo[T] {
	return &Memo[T]{parse: parse, max: max, parsed: map[string]T{}}
}

// Get returns what document parses to, or the parser's error. All callers share
// the value: whoever changes it must change a copy. document is not kept.
func (m *Memo[T]) Get(document []byte) (T, error) {
	m.mu.RLock()
	v, ok := m.parsed[string(document)]
	m.mu.RUnlock()
	if ok {
		return v, nil
	}
	v, err := m.parse(document)
	if err != nil {
		return v, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for other := range m.parsed {
		if len(m.parsed) < m.max {
			break
		}
		delete(m.parsed, other)
	}
	m.parsed[string(document)] = v
	return v, nil
}
