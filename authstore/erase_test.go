package authstore_test

import (
	"database/sql"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/idbridge/idbridge"
)

// traces returns the cells of all tables that hold one of the words.
func (b *bed) traces(words ...string) []string {
	b.t.Helper()
	driver, address := b.driver()
	db, err := sql.Open(driver, address)
	if err != nil {
		b.t.Fatal(err)
	}
	defer db.Close()
	var out []string
	for table := range must(b.Digests(b.t.Context()))(b.t) {
		out = append(out, tracesIn(b.t, db, table, words)...)
	}
	return out
}

func tracesIn(t testing.TB, db *sql.DB, table string, words []string) (out []string) {
	t.Helper()
	rows := must(db.Query(`SELECT * FROM ` + table))(t)
	defer rows.Close()
	names := must(rows.Columns())(t)
	cells, dest := make([]sql.RawBytes, len(names)), make([]any, len(names))
	for i := range cells {
		dest[i] = &cells[i]
	}
	for rows.Next() {
		if err := rows.Scan(dest...); err != nil {
			t.Fatal(err)
		}
		for i, cell := range cells {
			for _, word := range words {
				if strings.Contains(strings.ToLower(string(cell)), strings.ToLower(word)) {
					out = append(out, fmt.Sprintf("%s.%s: %s", table, names[i], cell))
				}
			}
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

// zelda leaves one person's traces everywhere, and returns her with a word of every one.
func (b *bed) zelda() (idbridge.UserID, []string) {
	b.t.Helper()
	t, ctx := b.t, b.t.Context()
	shown := profile("userName", "zelda", "email", "Zelda.Quist@example.org", "displayName", "Zelda Quist", "givenName", "Zelda", "familyName", "Quist")
	out := b.commit(creation("id-z", shown), creation("id-b", profile("userName", "bob", "email", "bob@example.org")))
	z, bob := out[0].User, out[1].User
	if err := b.GrantRole(ctx, z, idbridge.Admin, "", "cli"); err != nil {
		t.Fatal(err)
	}
	if err := b.GrantRole(ctx, bob, idbridge.Admin, "", "zelda"); err != nil {
		t.Fatal(err)
	}
	for _, k := range []idbridge.Key{{ID: "keyofzel", User: z, Digest: []byte{1}}, {ID: "keyofbob", User: bob, Digest: []byte{2}}} {
		must(b.CreateKey(ctx, k, "zelda"))(t)
	}
	if err := b.RevokeKey(ctx, "keyofbob", "zelda", "asked by zelda"); err != nil {
		t.Fatal(err)
	}
	must(b.EditUser(ctx, idbridge.UserEdit{User: z, Set: profile("email", "Zelda.Old@example.org"), By: "bob"}))(t)
	must(b.EditUser(ctx, idbridge.UserEdit{User: bob, Set: profile("displayName", "Bob"), By: "zelda"}))(t)
	step := update(profile("email", "Zelda.Quist@example.org"))
	step.Before = profile("email", "Zelda.Old@example.org")
	d := b.about("id-z", step, idbridge.Step{Side: idbridge.DirectorySide, Verb: idbridge.Update, After: profile("displayName", "Zelda Q"), Author: "zelda"})
	d.Withheld = []idbridge.Withheld{{Attribute: idbridge.Email, Value: "z@example.org", Why: "zelda again"}}
	b.commit(d)
	other := b.about("id-b", idbridge.Step{Side: idbridge.DirectorySide, Verb: idbridge.Update, After: profile("displayName", "Bob"), Author: "zelda"})
	other.Withheld = []idbridge.Withheld{{Attribute: idbridge.Email, Value: "zelda.quist@example.org", Holder: z, Why: "taken by zelda"}}
	b.commit(other)
	b.conflictAfterSettling(z)
	b.doorsOfZelda(z, bob)
	member := idbridge.Step{ID: corp("id-z"), Side: idbridge.StoreSide, Verb: idbridge.Join, Group: corp("g")}
	b.commit(idbridge.Decision{ID: corp("g"), Name: "cn=g", Steps: []idbridge.Step{member}, Group: &idbridge.GroupSeen{Name: "cn=g", Members: 1}})
	both := idbridge.Decision{ID: corp("g"), Name: "cn=g", Steps: []idbridge.Step{member, {ID: corp("id-b"), Side: idbridge.StoreSide, Verb: idbridge.Join}}}
	b.savePlan(idbridge.Plan{Hash: "cccc", Run: b.lead.Run, Directory: "corp", State: idbridge.PlanHeld, Verdicts: []idbridge.Verdict{
		{Guard: "admins", Names: []string{"bob", "zelda"}, Why: "zelda would lose ADMIN", Held: idbridge.HoldAll},
	}}, b.about("id-b", update(profile("title", "x"))), both, idbridge.Decision{ID: corp("id-z"), Name: "zelda", User: z, Steps: []idbridge.Step{step}})
	run := must(b.Run(ctx, b.lead.Run))(t)
	run.State, run.Error, run.Hint = idbridge.RunFailed, "record of zelda: panic", "look at Zelda Quist"
	if err := b.EndRun(ctx, b.lead, run, &idbridge.Source{Canary: "id-z"}); err != nil {
		t.Fatal(err)
	}
	if err := b.AddAudit(ctx, idbridge.Audit{Actor: "zelda", Action: "test", Address: "192.0.2.77", Request: "req-of-hers"}); err != nil {
		t.Fatal(err)
	}
	if err := b.AddAudit(ctx, idbridge.Audit{Actor: "bob", Action: "test", Target: "somebody", Reason: "Zelda Quist asked for it"}); err != nil {
		t.Fatal(err)
	}
	return z, []string{"zelda", "quist", "192.0.2.77", "req-of-hers", "keyofzel"}
}

// doorsOfZelda signs her in, and lets her do what only a person does.
func (b *bed) doorsOfZelda(z, bob idbridge.UserID) {
	b.t.Helper()
	t, ctx := b.t, b.t.Context()
	hers := draft("zelda's", z)
	hers.Agent, hers.Address = "zelda's browser", "192.0.2.77"
	must(b.NewSession(ctx, hers, 0))(t)
	his := must(b.NewSession(ctx, draft("bob's", bob), 0))(t)
	lou := b.local("lou", idbridge.Person)
	for _, err := range []error{
		b.EndSession(ctx, his.ID, "zelda", "zelda saw him"), b.SetPassword(ctx, lou, idbridge.NewSecret(phc), "zelda"),
		b.PutSetting(ctx, "target", []byte("x"), "zelda"), b.PutApplication(ctx, idbridge.Application{Name: "Dream"}, "zelda"),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// conflictAfterSettling records a conflict with her values; her sent step is settled first.
func (b *bed) conflictAfterSettling(user idbridge.UserID) {
	b.t.Helper()
	for _, s := range must(b.OpenSent(b.t.Context(), "corp"))(b.t) {
		err := b.Settle(b.t.Context(), b.lead, []idbridge.Settlement{{Sent: s.ID, ID: s.Step.ID, How: idbridge.SentSettled}})
		if err != nil {
			b.t.Fatal(err)
		}
	}
	d := b.about("id-z")
	d.Conflicts = []idbridge.Conflict{{
		User: user, Attribute: idbridge.DisplayName, Base: idbridge.Values{"Zelda"}, Store: idbridge.Values{"Zelda Quist"}, Directory: idbridge.Values{"Z"},
	}}
	b.commit(d)
	another := b.about("id-b")
	another.Conflicts = []idbridge.Conflict{{Attribute: idbridge.DisplayName, Winner: idbridge.StoreWinner, By: "zelda", Why: "as zelda said"}}
	b.commit(another)
}

func TestErase(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		ctx := t.Context()
		z, words := b.zelda()
		b.seal()
		head := b.whole().Head
		b.note(2) // and rows that are in no block yet
		if err := b.AddAudit(ctx, idbridge.Audit{Actor: "zelda", Action: "test", Target: "late", User: z}); err != nil {
			t.Fatal(err)
		}
		if n := len(b.traces(words...)); n < 25 {
			t.Fatalf("only %d traces before", n)
		}
		before := must(b.Digests(ctx))(t)
		would := must(b.Erase(ctx, z, "bob", true))(t)
		if diff := cmp.Diff(before, must(b.Digests(ctx))(t)); diff != "" {
			t.Errorf("a dry run changed:\n%s", diff)
		}
		held := must(b.Plan(ctx, "cccc"))(t)
		got := must(b.Erase(ctx, z, "bob", false))(t)
		if diff := cmp.Diff(would, got); diff != "" {
			t.Errorf("would (-), did (+):\n%s", diff)
		}
		if got.Name != "zelda" || got.Removed["users"] != 1 || got.Removed["audit"] == 0 || len(got.Kept) < 4 {
			t.Errorf("%+v", got)
		}
		for _, trace := range b.traces(words...) {
			t.Errorf("left: %s", trace)
		}
		b.afterErasure(z, head, held)
		_, err := b.Erase(ctx, z, "bob", false)
		if err != nil {
			t.Errorf("once more: %v", err)
		}
		b.whole(head)
		_, err = b.Erase(ctx, 99999, "bob", false)
		wantKind(t, err, idbridge.NotFound)
	})
}

// afterErasure wants the rest of the store as it must be.
func (b *bed) afterErasure(z idbridge.UserID, head string, held idbridge.Plan) {
	b.t.Helper()
	t, ctx := b.t, b.t.Context()
	if r := b.whole(head); r.Erased == 0 {
		t.Errorf("audit %+v", r)
	}
	b.t.(*testing.T).Run("tampered", func(t *testing.T) {
		row := b.ask(`SELECT MIN(id) FROM audit_erased`)[0]
		b.ask(`UPDATE audit SET reason = 'invented' WHERE id = ` + row)
		if f := b.verify().Faults; len(f) != 1 {
			t.Errorf("a text in the place of an erased one: %q", f)
		}
		b.ask(`UPDATE audit SET reason = '' WHERE id = ` + row)
		b.whole(head)
	})
	if s := b.subject("id-z", nil); !s.Tombstone || s.Link != nil {
		t.Errorf("record: %+v", s)
	}
	if _, err := b.User(ctx, z); idbridge.KindOf(err) != idbridge.NotFound {
		t.Errorf("user: %v", err)
	}
	plan := must(b.Plan(ctx, "cccc"))(t)
	if plan.State != idbridge.PlanHeld || len(plan.Verdicts) != 1 || plan.Verdicts[0].Held != held.Verdicts[0].Held || len(plan.Verdicts[0].Names) != 1 {
		t.Errorf("plan %+v", plan)
	}
	var ids []string
	for d, err := range b.Decisions(ctx, "cccc") {
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, fmt.Sprint(d.ID.ID, " ", len(d.Steps)))
	}
	if diff := cmp.Diff([]string{"id-b 1", "g 1"}, ids); diff != "" {
		t.Errorf("decisions (-want +got):\n%s", diff)
	}
	if u := must(b.UserByName(ctx, "bob"))(t); u.Profile[idbridge.DisplayName].First() != "Bob" {
		t.Errorf("bob: %+v", u)
	}
	if path, ok := strings.CutPrefix(b.url, "sqlite:"); ok {
		for _, file := range []string{path + "-wal", path + ".mark"} {
			raw, err := os.ReadFile(file)
			if err != nil || strings.Contains(string(raw), "zelda") {
				t.Errorf("%s: %v, or it names her", file, err)
			}
		}
	}
}

// TestEraseTheDeleted: who was deleted before can be erased; who may not be deleted cannot.
func TestEraseTheDeleted(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		ctx := t.Context()
		z, words := b.zelda()
		b.clock.advance(time.Hour)
		if err := b.DeleteUser(ctx, z, "bob"); err != nil {
			t.Fatal(err)
		}
		b.seal()
		got := must(b.Erase(ctx, z, "bob", false))(t)
		if got.Name != "zelda" || got.Removed["users"] != 0 {
			t.Errorf("%+v", got)
		}
		for _, trace := range b.traces(words...) {
			t.Errorf("left: %s", trace)
		}
		b.whole()
		bob := must(b.UserByName(ctx, "bob"))(t)
		_, err := b.Erase(ctx, bob.ID, "cli", false)
		wantKind(t, err, idbridge.Forbidden)
		must(b.User(ctx, bob.ID))(t)
	})
}

// TestEraseBothOfOneRow: a sealed row that names two people is verified after each of them is erased, over several blocks.
func TestEraseBothOfOneRow(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		ctx := t.Context()
		ids := b.create("annabel", "robert")
		for i := range 3 {
			for _, a := range []idbridge.Audit{
				{Actor: "annabel", Action: "test", Target: "robert", Reason: fmt.Sprint("kept ", i), Address: "192.0.2.5"},
				{Actor: "robert", Action: "test", Target: "nobody", Reason: "annabel said so"},
				{Actor: "cli", Action: "test", Target: "somebody", Reason: "annabella is another word"},
			} {
				if err := b.AddAudit(ctx, a); err != nil {
					t.Fatal(err)
				}
			}
			b.seal()
		}
		head := b.whole().Head
		for i, name := range []string{"annabel", "robert"} {
			got := must(b.Erase(ctx, ids[i], "cli", false))(t)
			if got.Name != name || got.Removed["audit"] != 6 {
				t.Errorf("%s: %+v", name, got)
			}
			if r := b.whole(head); r.Erased != 6 {
				t.Errorf("audit %+v", r)
			}
		}
		reasons := map[string]int{}
		for _, a := range must(b.Audit(ctx, idbridge.AuditFilter{}))(t) {
			reasons[a.Reason]++
			if a.Reason == "kept 1" && (a.Actor != "" || a.Target != "" || a.Address != "") {
				t.Errorf("left %+v", a)
			}
		}
		if reasons["kept 1"] != 1 || reasons["annabella is another word"] != 3 || reasons["annabel said so"] != 0 {
			t.Errorf("reasons %v", reasons)
		}
		b.ask(`UPDATE audit SET reason = 'changed' WHERE reason = 'kept 1'`)
		if f := b.verify().Faults; len(f) != 1 {
			t.Errorf("a text that stayed was changed: %q", f)
		}
	})
}
