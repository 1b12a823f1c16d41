package ldap_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/internal/testserver"
	"github.com/idbridge/idbridge/providers/ldapsim"
)

// TestLateWrite (F7): a write that lands long after it was given up takes nothing back: it is refused where the value was
// changed meanwhile, by whomever, and it is what was wanted where it was not.
func TestLateWrite(t *testing.T) {
	for name, theirs := range map[string]string{"changed meanwhile": "Theirs", "not changed": "Old", "changed to the same": "Ours"} {
		t.Run(name, func(t *testing.T) {
			srv, p, cfg := saboteur(t, person("uid=anna", "anna", "displayName", "Old"))
			s := session(t, directory(t, cfg))
			rec := complete(t, s).records["anna"]
			armed := p.Fault(ldapsim.Fault{Op: ldapsim.OpModify, Do: ldapsim.Delay})
			_, err := s.Apply(t.Context(), update(rec, idbridge.DisplayName, "Ours"))
			struck(t, armed)
			wantFault(t, err, idbridge.Unknown)
			want := "Ours"
			if theirs != "Old" { // another leader, straight to the server
				want = theirs
				other := session(t, directory(t, settings(srv)))
				if _, err := other.Apply(t.Context(), update(rec, idbridge.DisplayName, theirs)); err != nil {
					t.Fatal(err)
				}
			}
			seen := writes(t, srv)
			armed.Release()
			for n := seen; n == seen; n = writes(t, srv) { // until it has landed
				if t.Context().Err() != nil {
					t.FailNow()
				}
			}
			if diff := cmp.Diff([]string{"displayName: " + want}, stored(t, srv, "anna", "displayName")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestEditBetweenReadAndWrite (F8): an administrator edits the attribute after we read it and before our write arrives:
// he is not overwritten, and we say so.
func TestEditBetweenReadAndWrite(t *testing.T) {
	for name, c := range map[string]struct{ before, ours, theirs string }{
		"changed": {"Old", "Ours", "Theirs"}, "added beside nothing": {"", "Ours", "Theirs"}, "removed": {"Old", "Ours", ""},
		"cleared by us": {"Old", "", "Theirs"},
	} {
		t.Run(name, func(t *testing.T) {
			var more []string
			if c.before != "" {
				more = []string{"description", c.before}
			}
			srv, p, cfg := saboteur(t, person("uid=anna", "anna", more...))
			cfg.Map[3].From = "description" // of displayName; several values are allowed, so that the schema does not help
			s := session(t, directory(t, cfg))
			rec := complete(t, s).records["anna"]
			armed := p.Fault(ldapsim.Fault{Op: ldapsim.OpModify, Do: ldapsim.Delay})
			edited := make(chan error, 1)
			go func() {
				<-armed.Struck()
				if c.theirs == "" {
					edited <- srv.Modify(testserver.Change(rec.Locator, "description"))
				} else {
					edited <- srv.Modify(testserver.Change(rec.Locator, "description", c.theirs))
				}
				armed.Release()
			}()
			var after []string
			if c.ours != "" {
				after = []string{c.ours}
			}
			_, err := s.Apply(t.Context(), update(rec, idbridge.DisplayName, after...))
			if err := <-edited; err != nil {
				t.Fatal(err)
			}
			wantFault(t, err, idbridge.Conflicting, "displayName was changed")
			var want []string
			if c.theirs != "" {
				want = []string{"description: " + c.theirs}
			}
			if diff := cmp.Diff(want, stored(t, srv, "anna", "description")); diff != "" {
				t.Error(diff)
			}
		})
	}
}
