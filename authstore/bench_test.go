package authstore_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/idbridge/idbridge"
)

const (
	benchUsers = 100_000
	benchBatch = 1000
)

// person returns a profile of ten attributes, about 300 octets as JSON.
func person(n int) (id string, p idbridge.Profile) {
	h := sha256.Sum256(fmt.Append(nil, n))
	x := hex.EncodeToString(h[:])
	return x[:8] + "-" + x[8:12] + "-" + x[12:16] + "-" + x[16:20] + "-" + x[20:32], idbridge.Profile{
		"userName": {"u" + x[:12]}, "givenName": {"Given" + x[:6]}, "familyName": {"Family" + x[6:14]},
		"displayName": {"Given" + x[:6] + " Family" + x[6:14]}, "email": {"u" + x[:12] + "@example.org"}, "phone": {"+44 20 7946 " + x[:4]},
		"title": {"Engineer"}, "department": {"Department " + x[:2]}, "room": {"B" + x[3:6]}, "employeeNumber": {x[20:28]},
	}
}

func eachDatabase(b *testing.B, f func(b *testing.B, s *bed)) {
	for _, name := range []string{"sqlite", "postgres"} {
		b.Run(name, func(b *testing.B) {
			s := newBed(b, databases(b)[name](b))
			f(b, s)
		})
	}
}

// load imports n users by batches.
func load(b *bed, from, n int) {
	list := make([]idbridge.Decision, 0, benchBatch)
	for i := range n {
		id, p := person(from + i)
		d := creation(id, p)
		d.Seen.Digest = idbridge.Digest{byte(i), 1}
		list = append(list, d)
		if len(list) == benchBatch || i == n-1 {
			for _, o := range b.commit(list...) {
				if o.User == 0 || len(o.Withheld) > 0 {
					b.t.Fatalf("import: %+v", o)
				}
			}
			list = list[:0]
		}
	}
}

func BenchmarkImport(b *testing.B) {
	eachDatabase(b, func(b *testing.B, s *bed) {
		b.ReportAllocs()
		from := 0
		for b.Loop() {
			load(s, from, benchUsers)
			from += benchUsers
		}
		b.ReportMetric(float64(benchUsers)*float64(b.N)/b.Elapsed().Seconds(), "users/s")
	})
}

func BenchmarkMarks(b *testing.B) {
	eachDatabase(b, func(b *testing.B, s *bed) {
		load(s, 0, benchUsers)
		b.ReportAllocs()
		for b.Loop() {
			n := 0
			for _, err := range s.Marks(b.Context(), "corp") {
				if err != nil {
					b.Fatal(err)
				}
				n++
			}
			if n != benchUsers {
				b.Fatalf("%d marks", n)
			}
		}
	})
}

// BenchmarkSubjects reads 1,000 linked records, and 1,000 unlinked ones, as a run does for those that changed.
func BenchmarkSubjects(b *testing.B) {
	eachDatabase(b, func(b *testing.B, s *bed) {
		load(s, 0, 20_000)
		for name, from := range map[string]int{"linked": 5000, "new": 1_000_000} {
			ids := make([]idbridge.ExternalID, benchBatch)
			shown := make([]idbridge.Profile, benchBatch)
			for i := range ids {
				id, p := person(from + i)
				ids[i], shown[i] = corp(id), p
			}
			b.Run(name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if _, err := s.Subjects(b.Context(), "corp", ids, shown); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	})
}

// BenchmarkUpdate changes one attribute of each of 10,000 users.
func BenchmarkUpdate(b *testing.B) {
	eachDatabase(b, func(b *testing.B, s *bed) {
		const users = 10_000
		load(s, 0, users)
		round := 0
		for b.Loop() {
			round++
			for from := 0; from < users; from += benchBatch {
				b.StopTimer()
				list := updates(s, from, round)
				b.StartTimer()
				s.commit(list...)
			}
		}
		b.ReportMetric(float64(users)*float64(b.N)/b.Elapsed().Seconds(), "users/s")
	})
}

func updates(s *bed, from, round int) []idbridge.Decision {
	ids := make([]idbridge.ExternalID, benchBatch)
	for i := range ids {
		id, _ := person(from + i)
		ids[i] = corp(id)
	}
	subjects := must(s.Subjects(s.t.Context(), "corp", ids, nil))(s.t)
	list := make([]idbridge.Decision, len(ids))
	for i, sub := range subjects {
		p := profile("title", strings.Repeat("x", round%20+1))
		list[i] = idbridge.Decision{
			ID: ids[i], User: sub.User.ID, Read: idbridge.Versions{User: sub.User.Revision, Link: sub.Link.Version}, Base: p,
			Steps: []idbridge.Step{{ID: ids[i], User: sub.User.ID, Side: idbridge.StoreSide, Verb: idbridge.Update, After: p}},
			Seen:  idbridge.Observation{Locator: sub.Link.Locator, Digest: idbridge.Digest{byte(round)}},
		}
	}
	return list
}

// BenchmarkKeyAccess answers from the cache.
func BenchmarkKeyAccess(b *testing.B) {
	eachDatabase(b, func(b *testing.B, s *bed) {
		id := s.create("ann")[0]
		must(s.CreateKey(b.Context(), idbridge.Key{ID: "abcdefgh", User: id, Digest: []byte{1}}, "test"))(b)
		b.ReportAllocs()
		ctx := b.Context()
		for b.Loop() {
			if _, _, err := s.KeyAccess(ctx, "abcdefgh"); err != nil {
				b.Fatal(err)
			}
		}
	})
}
