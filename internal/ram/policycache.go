package ram

import "sync"

// A policyCache keeps parsed policies by their text, at most max of each kind.
type policyCache struct {
	mu     sync.RWMutex
	parsed map[PolicyKind]map[string]*Policy
}

// maxCached bounds the policies kept of a kind: buckets in use that have one.
const maxCached = 1024

// parse returns ParsePolicy of doc and remembers it. A full cache drops another
// policy.
func (c *policyCache) parse(kind PolicyKind, doc []byte) (*Policy, error) {
	c.mu.RLock()
	p := c.parsed[kind][string(doc)]
	c.mu.RUnlock()
	if p != nil {
		return p, nil
	}
	p, err := ParsePolicy(kind, doc)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.parsed == nil {
		c.parsed = make(map[PolicyKind]map[string]*Policy)
	}
	m := c.parsed[kind]
	if m == nil {
		m = make(map[string]*Policy)
		c.parsed[kind] = m
	}
	for text := range m {
		if len(m) < maxCached {
			break
		}
		delete(m, text)
	}
	m[string(doc)] = p
	return p, nil
}
