package engine

import (
	"os"
	"runtime"
	"strconv"
	"testing"

	"pgregory.net/rapid"

	"github.com/idbridge/idbridge"
)

func filesIn(t *testing.T, dir string) []string {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range list {
		out = append(out, e.Name())
	}
	return out
}

func TestIndexIsAMap(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		x := newIndex()
		want := map[string]int{}
		ids := rapid.SliceOf(rapid.Custom(func(rt *rapid.T) string {
			n := rapid.IntRange(0, 200).Draw(rt, "n")
			if rapid.Bool().Draw(rt, "uuid") {
				return spellUUID([16]byte{15: byte(n)})
			}
			return strconv.Itoa(n)
		})).Draw(rt, "ids")
		for _, id := range ids {
			e, made := x.add(id)
			if made != (want[id] == 0) {
				rt.Fatalf("%s: made %v, seen %d times", id, made, want[id])
			}
			want[id]++
			e.sightings = uint8(want[id])
		}
		if x.count != len(want) {
			rt.Fatalf("%d entries for %d ids", x.count, len(want))
		}
		for id, n := range want {
			e := x.find(id)
			if e == nil || e.sightings != uint8(n) {
				rt.Fatalf("%s is not found", id)
			}
			if s, ok := e.spelled(); ok && s != id {
				rt.Fatalf("%s is spelled %s", id, s)
			}
		}
		if x.find("nobody") != nil {
			rt.Fatal("found nobody")
		}
	})
}

// A UUID in another spelling is another id: the directory says what its ids look like.
func TestSpelling(t *testing.T) {
	const id = "0d2f1c3e-0b8a-4f6e-9d3c-a1b2c3d4e5f6"
	key, ok := parseUUID(id)
	if !ok || spellUUID(key) != id {
		t.Fatalf("%s comes back as %s (%v)", id, spellUUID(key), ok)
	}
	for _, other := range []string{
		"0D2F1C3E-0b8a-4f6e-9d3c-a1b2c3d4e5f6", "0d2f1c3e0b8a4f6e9d3ca1b2c3d4e5f6", "0d2f1c3e-0b8a-4f6e-9d3c-a1b2c3d4e5f", "",
		"0d2f1c3e+0b8a-4f6e-9d3c-a1b2c3d4e5f6", "g d2f1c3e-0b8a-4f6e-9d3c-a1b2c3d4e5f",
	} {
		if _, ok := parseUUID(other); ok {
			t.Errorf("%q was read as a canonical UUID", other)
		}
	}
}

// TestIndexIsSmall holds the promise of flat memory: less than 50 bytes for each link.
func TestIndexIsSmall(t *testing.T) {
	const n = 300_000
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	x := newIndex()
	for i := range n {
		var key [16]byte
		put64(key[:8], uint64(i)*0x9e3779b97f4a7c15)
		x.load(idbridge.Mark{ID: spellUUID(key), Version: 1})
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if each := float64(after.HeapAlloc-before.HeapAlloc) / n; each > 50 {
		t.Errorf("%.1f bytes for each link", each)
	} else {
		t.Logf("%.1f bytes for each link", each)
	}
	runtime.KeepAlive(x)
}

func BenchmarkObserveUnchanged(b *testing.B) {
	d := idbridge.NewDigester("scope")
	rec := idbridge.Record{
		ID: idbridge.ExternalID{Directory: "corp", ID: "0d2f1c3e-0b8a-4f6e-9d3c-a1b2c3d4e5f6"}, Locator: "uid=jo.baker,ou=people,dc=example,dc=org",
		Profile: idbridge.Profile{
			idbridge.UserName: {"jo.baker"}, idbridge.GivenName: {"Jo"}, idbridge.FamilyName: {"Baker"},
			idbridge.DisplayName: {"Jo Baker"}, idbridge.Email: {"jo.baker@example.org"},
		},
	}
	o := &observer{digester: d, index: newIndex(), attrs: rec.Profile.Attributes(), holders: make([]int, 5), claims: newClaims()}
	o.index.load(idbridge.Mark{ID: rec.ID.ID, Digest: d.Record(&rec), Version: 1})
	e := o.index.find(rec.ID.ID)
	b.ReportAllocs()
	for b.Loop() {
		e.flags &^= flagSeen
		if err := o.present(&rec); err != nil {
			b.Fatal(err)
		}
	}
}
