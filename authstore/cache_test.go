package authstore

import (
	"hash/maphash"
	"testing"

	"pgregory.net/rapid"
)

// TestShardsAgreeWithAMap: whatever is put, dropped and cleared, a value found is the last one put, a dropped one is never
// found, and there are never more than allowed.
func TestShardsAgreeWithAMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const size = cacheShards * 2
		var s shards[int, int]
		s.init(size, maphash.MakeSeed())
		model := map[int]int{}
		key := rapid.IntRange(0, 200)
		t.Repeat(map[string]func(*rapid.T){
			"put": func(t *rapid.T) {
				k, v := key.Draw(t, "key"), rapid.Int().Draw(t, "value")
				_, epoch, found := s.get(k)
				if found {
					return
				}
				s.put(k, v, epoch)
				model[k] = v
			},
			"late put": func(t *rapid.T) {
				k := key.Draw(t, "key")
				_, epoch, found := s.get(k)
				if found {
					return
				}
				s.drop(k)
				s.put(k, -1, epoch)
				if _, _, found := s.get(k); found {
					t.Fatal("a fill that began before the invalidation came back")
				}
				delete(model, k)
			},
			"drop":  func(t *rapid.T) { k := key.Draw(t, "key"); s.drop(k); delete(model, k) },
			"clear": func(*rapid.T) { s.clear(); clear(model) },
			"": func(t *rapid.T) {
				n := 0
				for i := range s.each {
					h := &s.each[i]
					n += len(h.items)
					if len(h.items) != len(h.ring) {
						t.Fatalf("%d items, %d in the ring", len(h.items), len(h.ring))
					}
					for k, it := range h.items {
						if h.ring[it.slot] != k {
							t.Fatalf("%d stands in place %d of another", k, it.slot)
						}
						if it.value != model[k] {
							t.Fatalf("%d is %d, not %d", k, it.value, model[k])
						}
					}
				}
				if n > size {
					t.Fatalf("%d entries, %d are allowed", n, size)
				}
			},
		})
	})
}

func TestHitsDoNotAllocate(t *testing.T) {
	var s shards[string, access]
	s.init(100, maphash.MakeSeed())
	_, epoch, _ := s.get("ann")
	s.put("ann", access{folded: "ann"}, epoch)
	if n := testing.AllocsPerRun(100, func() { _, _, _ = s.get("ann") }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestFeedTellsOwnFromForeign: our own commits leave the cache alone, a gap in their numbers empties it.
func TestFeedTellsOwnFromForeign(t *testing.T) {
	f := newFeed()
	for _, c := range []struct {
		own     []int64
		now     int64
		foreign bool
	}{
		{[]int64{1, 2}, 2, false},
		{nil, 2, false},
		{[]int64{3, 5}, 5, true},
		{[]int64{7}, 6, true},
		{nil, 7, false},
		{nil, 8, true},
		{nil, 1, true},
	} {
		for _, n := range c.own {
			f.own(n)
		}
		if got := f.seen(c.now); got != c.foreign {
			t.Errorf("at %d after %v: foreign %v", c.now, c.own, got)
		}
	}
	if len(f.ours) != 0 {
		t.Errorf("%d revisions are remembered for ever", len(f.ours))
	}
}
