package memory

import (
	"container/list"
	"sync"
	"time"

	"github.com/apm-deploy/apm/host/internal/bus"
)

// Cache keeps the values that were used last, each for a time.
type Cache struct {
	size int
	ttl  time.Duration

	mu     sync.Mutex
	values map[string]*list.Element
	order  *list.List // of entry, the one used last in front
}

type entry struct {
	key   string
	value []byte
	until time.Time
}

var _ bus.Cache = (*Cache)(nil)

// NewCache returns a cache of at most size values (at least one), each of which
// is kept for ttl after it was set.
func NewCache(size int, ttl time.Duration) *Cache {
	return &Cache{size: max(size, 1), ttl: ttl, values: map[string]*list.Element{}, order: list.New()}
}

// Get implements bus.Cache.
func (c *Cache) Get(key string) ([]byte, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	element, ok := c.values[key]
	if !ok {
		return nil, false
	}
	e := entryOf(element)
	if !time.Now().Before(e.until) {
		c.forget(element)
		return nil, false
	}
	c.order.MoveToFront(element)
	return e.value, true
}

// Set implements bus.Cache.
func (c *Cache) Set(key string, value []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if element, ok := c.values[key]; ok {
		c.forget(element)
	}
	if len(c.values) == c.size {
		c.forget(c.order.Back())
	}
	c.values[key] = c.order.PushFront(&entry{key: key, value: value, until: time.Now().Add(c.ttl)})
}

// Delete implements bus.Cache.
func (c *Cache) Delete(key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if element, ok := c.values[key]; ok {
		c.forget(element)
	}
}

func (c *Cache) forget(element *list.Element) {
	c.order.Remove(element)
	delete(c.values, entryOf(element).key)
}

func entryOf(element *list.Element) *entry {
	e, ok := element.Value.(*entry)
	if !ok {
		panic("a cache holds entries only")
	}
	return e
}
