package authstore_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/idbridge/idbridge"
)

// note writes n audit rows, each with texts of its own.
func (b *bed) note(n int) {
	b.t.Helper()
	for i := range n {
		err := b.AddAudit(b.t.Context(), idbridge.Audit{
			Actor: "ann", Action: "test", Target: fmt.Sprint("target-", i), User: idbridge.UserID(i), Reason: "because", Address: "192.0.2.1", Request: "r",
		})
		if err != nil {
			b.t.Fatal(err)
		}
	}
}

func (b *bed) seal() int {
	b.t.Helper()
	return must(b.Seal(b.t.Context(), b.lead.Epoch))(b.t)
}

func (b *bed) verify(heads ...string) idbridge.AuditReport {
	b.t.Helper()
	return must(b.VerifyAudit(b.t.Context(), heads...))(b.t)
}

// whole wants an audit without faults.
func (b *bed) whole(heads ...string) idbridge.AuditReport {
	b.t.Helper()
	r := b.verify(heads...)
	if len(r.Faults) > 0 {
		b.t.Fatalf("audit: %q", r.Faults)
	}
	return r
}

func (b *bed) ask(query string) []string {
	b.t.Helper()
	driver, address := b.driver()
	return ask(b.t, driver, address, query)
}

func TestSeal(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		if n := b.seal(); n != 0 {
			t.Errorf("%d blocks of nothing", n)
		}
		if r := b.whole(); r.Head != "" || r.Blocks != 0 {
			t.Errorf("empty: %+v", r)
		}
		b.note(5)
		if r := b.whole(); r.Unsealed != 5 {
			t.Errorf("before: %+v", r)
		}
		if n := b.seal(); n != 1 {
			t.Errorf("%d blocks", n)
		}
		first := b.whole()
		if first.Rows != 5 || first.Unsealed != 0 || !strings.HasPrefix(first.Head, "1:") {
			t.Errorf("after: %+v", first)
		}
		before := must(b.Digests(t.Context()))(t)
		if n := b.seal(); n != 0 {
			t.Errorf("%d blocks of nothing new", n)
		}
		after := must(b.Digests(t.Context()))(t)
		for table := range before {
			if before[table] != after[table] {
				t.Errorf("sealing nothing changed %s", table)
			}
		}
		ids := b.create("ann", "bob")
		if err := b.DeleteUser(t.Context(), ids[0], "cli"); err != nil {
			t.Fatal(err)
		}
		b.note(2)
		b.seal()
		r := b.whole(first.Head)
		if r.Blocks != 2 || r.Rows != 8 || r.Head == first.Head {
			t.Errorf("second: %+v", r)
		}
		_, err := b.Seal(t.Context(), b.lead.Epoch+1)
		if err != nil {
			t.Errorf("nothing to seal needs no lead: %v", err)
		}
		b.note(1)
		_, err = b.Seal(t.Context(), b.lead.Epoch+1)
		wantKind(t, err, idbridge.Locked)
		_, err = b.VerifyAudit(t.Context(), "nonsense")
		wantKind(t, err, idbridge.Invalid)
	})
}

// TestTamperedAudit changes the audit in every way there is, and puts it back.
func TestTamperedAudit(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		var heads []string
		for range 4 {
			b.note(3)
			b.seal()
			heads = append(heads, b.whole().Head)
		}
		b.note(2)
		keep := func(table string) (string, string) {
			return "CREATE TABLE kept AS SELECT * FROM " + table, "DELETE FROM " + table + "; INSERT INTO " + table + " SELECT * FROM kept; DROP TABLE kept"
		}
		for _, c := range []struct{ name, table, do, want string }{
			{"a text", "audit", `UPDATE audit SET actor = 'bob' WHERE id = 5`, "row 5 of block 2 was changed"},
			{"a text, blanked", "audit", `UPDATE audit SET reason = '' WHERE id = 5`, "row 5 of block 2 was changed"},
			{"a field", "audit", `UPDATE audit SET action = 'other' WHERE id = 12`, "row 12 of block 4 was changed"},
			{"a time", "audit", `UPDATE audit SET at = at + 1 WHERE id = 1`, "row 1 of block 1 was changed"},
			{"a row removed", "audit", `DELETE FROM audit WHERE id = 6`, "row 6 of block 2 is gone"},
			{"all rows removed", "audit", `DELETE FROM audit`, "row 12 of block 4 is gone"},
			{"a row moved behind", "audit", `UPDATE audit SET id = 99 WHERE id = 6`, "row 6 of block 2 is gone"},
			{"a row put in before", "audit", `UPDATE audit SET id = 0 WHERE id = 14`, "row 0 was put in beside block 1"},
			{"a block's rows", "audit_block", `UPDATE audit_block SET size = 2 WHERE number = 2`, "block 2 was changed"},
			{"a block's time", "audit_block", `UPDATE audit_block SET sealed = 7 WHERE number = 1`, "block 1 was changed"},
			{"a block's digest", "audit_block", `UPDATE audit_block SET digest = earlier WHERE number = 2`, "block 3 does not follow block 2"},
			{"a block removed", "audit_block", `DELETE FROM audit_block WHERE number = 2`, "block 2 is missing before block 3"},
			{"blocks removed", "audit_block", `DELETE FROM audit_block WHERE number IN (2, 3)`, "blocks 2 to 3 are missing before block 4"},
			{"the first block removed", "audit_block", `DELETE FROM audit_block WHERE number = 1`, "block 1 is missing before block 2"},
			{"blocks swapped", "audit_block", `UPDATE audit_block SET number = CASE number WHEN 2 THEN -3 ELSE -2 END WHERE number IN (2, 3);
				UPDATE audit_block SET number = -number WHERE number < 0`, "block 2 was changed"},
			{"salts", "audit_block", `UPDATE audit_block SET leaves = (SELECT leaves FROM audit_block WHERE number = 1) WHERE number = 2`, "block 2 was changed"},
			{"the newest block removed", "audit_block", `DELETE FROM audit_block WHERE number = 4`, "block 4 was seen elsewhere and is not here"},
		} {
			t.Run(c.name, func(t *testing.T) {
				save, restore := keep(c.table)
				for _, query := range strings.Split(save+";"+c.do, ";") {
					b.ask(query)
				}
				faults := b.verify(heads...).Faults
				if !strings.Contains(strings.Join(faults, "\n"), c.want) {
					t.Errorf("found %q, want %q", faults, c.want)
				}
				if c.name == "the newest block removed" {
					if r := b.verify(); len(r.Faults) > 0 || r.Unsealed != 5 {
						t.Errorf("without a head nobody can tell: %+v", r)
					}
				}
				for _, query := range strings.Split(restore, ";") {
					b.ask(query)
				}
				b.whole(heads...)
			})
		}
		if f := b.verify("2:0000").Faults; len(f) != 1 || !strings.Contains(f[0], "made anew") {
			t.Errorf("another head: %q", f)
		}
	})
}

// TestNoLateRow writes audit rows from many sides while they are sealed: none is left out, and all verify.
func TestNoLateRow(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		const writers, rows = 6, 40
		stop := make(chan struct{})
		var wg, sealing sync.WaitGroup
		sealing.Go(func() {
			for {
				if _, err := b.Seal(context.Background(), b.lead.Epoch); err != nil {
					t.Error(err)
					return
				}
				select {
				case <-stop:
					return
				default:
				}
			}
		})
		for w := range writers {
			wg.Go(func() {
				for i := range rows {
					a := idbridge.Audit{Actor: fmt.Sprint("w", w), Action: "test", Target: fmt.Sprint(i)}
					if err := b.AddAudit(context.Background(), a); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		wg.Wait()
		close(stop)
		sealing.Wait()
		b.seal()
		if r := b.whole(); r.Rows != writers*rows || r.Unsealed != 0 {
			t.Errorf("%+v", r)
		}
	})
}

// TestManyBlocks seals more rows than one block has.
func TestManyBlocks(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		b.fillAudit(2500)
		if n := b.seal(); n != 3 {
			t.Errorf("%d blocks", n)
		}
		if r := b.whole(); r.Rows != 2500 || r.Unsealed != 0 {
			t.Errorf("%+v", r)
		}
	})
}

// fillAudit writes n audit rows in one statement.
func (b *bed) fillAudit(n int) {
	b.t.Helper()
	b.ask(fmt.Sprintf(`WITH RECURSIVE g(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM g WHERE i < %d)
		INSERT INTO audit (id, at, actor, action, target, user_id, result, reason, address, request, run)
		SELECT i + (SELECT value FROM counter WHERE name = 'audit'), 1, 'ann', 'test', 'target ' || i, i, 'ok', 'because', '192.0.2.1', 'q', 0 FROM g`, n))
	b.ask(fmt.Sprintf(`UPDATE counter SET value = value + %d WHERE name = 'audit'`, n))
}
