package authstore

import (
	"crypto/sha256"
	"hash/maphash"
	"sync"

	"github.com/idbridge/idbridge"
)

const cacheShards = 32

// cache holds what checks ask for: the access of users, keys, and login names. It is bounded; the oldest use leaves first,
// roughly (clock). A fill that began before its shard was invalidated is dropped, so nothing stale comes back.
type cache struct {
	users shards[idbridge.UserID, access]
	keys  shards[idbridge.KeyID, idbridge.Key]
	names shards[string, idbridge.UserID] // folded login; proved by the user's own entry, so it needs no invalidation

	sessions shards[int64, idbridge.UserSession]
	digests  shards[[sha256.Size]byte, int64] // of sessions; proved by the session's own entry
}

// access is a cached picture of one user.
type access struct {
	idbridge.Access
	folded      string   // login, normalised
	directories []string // of his links
}

func newCache(size int) *cache {
	c := &cache{}
	seed := maphash.MakeSeed()
	c.users.init(size, seed)
	c.keys.init(size, seed)
	c.names.init(size, seed)
	c.sessions.init(size, seed)
	c.digests.init(size, seed)
	return c
}

// drop forgets what was touched.
func (c *cache) drop(t *touched) {
	if t.all {
		c.users.clear()
		c.keys.clear()
		c.names.clear()
		c.sessions.clear()
		c.digests.clear()
		return
	}
	for _, id := range t.users {
		c.users.drop(id)
	}
	for _, id := range t.keys {
		c.keys.drop(id)
	}
	for _, id := range t.sessions {
		c.sessions.drop(id)
	}
}

// shards is a bounded map from K to V.
type shards[K comparable, V any] struct {
	seed maphash.Seed
	each [cacheShards]shard[K, V]
}

// shard is one part under its own lock. ring holds the keys in the order the hand of the clock meets them.
type shard[K comparable, V any] struct {
	mu    sync.Mutex
	epoch uint64 // moves with every invalidation
	size  int
	items map[K]*item[V]
	ring  []K
	hand  int
	_     [64]byte // keeps two shards' locks off one cache line
}

type item[V any] struct {
	value V
	used  bool
	slot  int // in ring
}

func (s *shards[K, V]) init(size int, seed maphash.Seed) {
	s.seed = seed
	for i := range s.each {
		s.each[i].size = max(1, size/cacheShards)
		s.each[i].items = map[K]*item[V]{}
	}
}

func (s *shards[K, V]) of(key K) *shard[K, V] {
	return &s.each[maphash.Comparable(s.seed, key)%cacheShards]
}

// get returns the value. When there is none, epoch is what put must be given.
func (s *shards[K, V]) get(key K) (value V, epoch uint64, found bool) {
	h := s.of(key)
	h.mu.Lock()
	defer h.mu.Unlock()
	if it, ok := h.items[key]; ok {
		it.used = true
		return it.value, 0, true
	}
	return value, h.epoch, false
}

// put keeps a value that was read after get returned epoch, unless the shard was invalidated since.
func (s *shards[K, V]) put(key K, value V, epoch uint64) {
	h := s.of(key)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.epoch != epoch {
		return
	}
	if it, ok := h.items[key]; ok {
		it.value = value
		return
	}
	if len(h.ring) < h.size {
		h.items[key] = &item[V]{value: value, slot: len(h.ring)}
		h.ring = append(h.ring, key)
		return
	}
	slot := h.evict()
	h.items[key] = &item[V]{value: value, slot: slot}
	h.ring[slot] = key
}

// evict moves the hand to an entry that was not used since the hand passed, and frees its place.
func (h *shard[K, V]) evict() int {
	for {
		slot := h.hand
		h.hand = (h.hand + 1) % len(h.ring)
		it := h.items[h.ring[slot]]
		if it.used {
			it.used = false
			continue
		}
		delete(h.items, h.ring[slot])
		return slot
	}
}

// drop forgets a key, and every fill of its shard that is under way.
func (s *shards[K, V]) drop(key K) {
	h := s.of(key)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.epoch++
	it, ok := h.items[key]
	if !ok {
		return
	}
	last := len(h.ring) - 1
	moved := h.ring[last]
	h.ring[it.slot] = moved
	h.items[moved].slot = it.slot
	h.ring = h.ring[:last]
	if h.hand >= last {
		h.hand = 0
	}
	delete(h.items, key)
}

// clear forgets everything.
func (s *shards[K, V]) clear() {
	for i := range s.each {
		h := &s.each[i]
		h.mu.Lock()
		h.epoch++
		clear(h.items)
		h.ring, h.hand = h.ring[:0], 0
		h.mu.Unlock()
	}
}
