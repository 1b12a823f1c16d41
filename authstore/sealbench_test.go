package authstore_test

import (
	"testing"

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
