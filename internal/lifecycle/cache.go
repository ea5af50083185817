package lifecycle

import "sync"

// A Cache keeps parsed rules by their document, so that a request need not
// parse those of its bucket. The zero Cache is empty; many goroutines may use it.
type Cache struct {
	mu     sync.RWMutex
	parsed map[string]*Rules
}

// maxCached bounds the documents kept: buckets in use that have rules.
const maxCached = 1024

// Rules is [Parse], remembered. A full cache loses any other document.
func (c *Cache) Rules(doc []byte) (*Rules, error) {
	if len(doc) == 0 {
		return new(Rules), nil
	}
	c.mu.RLock()
	r := c.parsed[string(doc)]
	c.mu.RUnlock()
	if r != nil {
		return r, nil
	}
	r, err := Parse(doc)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.parsed == nil {
		c.parsed = make(map[string]*Rules)
	}
	for text := range c.parsed {
		if len(c.parsed) < maxCached {
			break
		}
		delete(c.parsed, text)
	}
	c.parsed[string(doc)] = r
	return r, nil
}
