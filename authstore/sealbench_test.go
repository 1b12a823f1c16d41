package authstore_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/authstore"
)

const benchRows = 100_000

// fillForBench writes audit rows beside the store.
func fillForBench(b *testing.B, s *bed) {
	b.Helper()
	driver, address := s.driver()
	for range benchRows / 10_000 {
		ask(b, driver, address, `WITH RECURSIVE g(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM g WHERE i < 10000)
			INSERT INTO audit (id, at, actor, action, target, user_id, result, reason, address, request, run)
			SELECT i + (SELECT value FROM counter WHERE name = 'audit'), 1, 'ann', 'user.edit', 'target ' || i, i, 'ok', 'displayName, email',
			'192.0.2.1', 'req-0123456789', 0 FROM g`)
		ask(b, driver, address, `UPDATE counter SET value = value + 10000 WHERE name = 'audit'`)
	}
}

// BenchmarkSeal seals 100,000 audit rows, verifies them, and prunes them.
func BenchmarkSeal(b *testing.B) {
	eachDatabase(b, func(b *testing.B, s *bed) {
		fillForBench(b, s)
		b.Run("seal", func(b *testing.B) {
			for range b.N {
				for n := 1; n > 0; {
					n = must(s.Seal(b.Context(), s.lead.Epoch))(b)
				}
			}
		})
		b.Run("verify", func(b *testing.B) {
			for b.Loop() {
				if r := must(s.VerifyAudit(b.Context()))(b); r.Rows != benchRows || len(r.Faults) > 0 {
					b.Fatalf("%+v", r)
				}
			}
			b.ReportMetric(float64(benchRows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
		})
		b.Run("prune", func(b *testing.B) {
			for range b.N {
				s.clock.advance(10 * day)
				must(s.Prune(b.Context(), authstore.Retention{Audit: day}, false))(b)
			}
		})
	})
}

// BenchmarkPrune removes 100 runs with 100,000 changes, 50,000 sent steps and 50,000 conflicts, and says how long a writer beside
// it waited at most.
func BenchmarkPrune(b *testing.B) {
	eachDatabase(b, func(b *testing.B, s *bed) {
		driver, address := s.driver()
		for _, query := range []string{
			`INSERT INTO runs (id, directory, kind, slot, author, state, complete, started, ended, counts, plan, error, hint, epoch)
				SELECT i + 10, 'corp', 'full', 0, 'x', 'done', TRUE, i, i, '{}', '', '', '', 1 FROM g WHERE i <= 100`,
			`INSERT INTO run_change (id, run, directory, link, user_id, side, verb, group_id, state_before, state_after, before, after, at)
				SELECT i, i % 100 + 10, 'corp', 'l' || i, i, 'store', 'update', '', '', '', '{"title":["a"]}', '{"title":["b"]}', 1 FROM g`,
			`INSERT INTO sent (id, run, directory, link, user_id, revision, state, step, at, ended)
				SELECT i, 10, 'corp', 'l' || i, i, 1, 'settled', '{}', 1, 2 FROM g WHERE i % 2 = 0`,
			`INSERT INTO conflicts (id, directory, link, user_id, attribute, base, store, shown, winner, why, opened, closed, decided_by)
				SELECT i, 'corp', 'l' || i, i, 'title', '[]', '[]', '[]', 'store', '', 1, 2, 'x' FROM g WHERE i % 2 = 0`,
		} {
			insert, from, _ := strings.Cut(query, "SELECT ")
			ask(b, driver, address, `WITH RECURSIVE g(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM g WHERE i < 100000) `+insert+` SELECT `+from)
		}
		b.ResetTimer()
		stop, longest := make(chan struct{}), make(chan time.Duration)
		go func() {
			var most time.Duration
			for {
				select {
				case <-stop:
					longest <- most
					return
				default:
				}
				start := time.Now()
				if err := s.AddAudit(context.Background(), idbridge.Audit{Actor: "x", Action: "test"}); err != nil {
					b.Error(err)
				}
				most = max(most, time.Since(start))
			}
		}()
		n := 0
		for range b.N {
			for _, one := range must(s.Prune(b.Context(), authstore.Retention{Runs: day, Conflicts: day}, false))(b) {
				n += one
			}
		}
		close(stop)
		b.ReportMetric(float64(n), "rows")
		b.ReportMetric(float64((<-longest).Milliseconds()), "ms-longest-wait")
	})
}
