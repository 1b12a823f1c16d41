package authstore_test

import (
	"strings"
	"testing"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/authstore"
)

// TestWhoMayWorkOnTheSchema: the release that wrote a newer schema says who may still work on it.
func TestWhoMayWorkOnTheSchema(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		known := b.ask(`SELECT MAX(version_id) FROM goose_db_version`)[0]
		if got := b.ask(`SELECT schema_version FROM installation`)[0]; got != known {
			t.Errorf("schema %s is noted as %s", known, got)
		}
		b.ask(`INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, TRUE)`)
		b.ask(`UPDATE installation SET schema_version = 9999, needs_release = '9.8.7'`)
		b.shut()
		b.opts.Release = "0.1.9"
		b.open() // the next release says that this one may
		b.create("ann")
		b.ask(`UPDATE installation SET needs_schema = 9000`)
		b.shut()
		_, err := authstore.Open(t.Context(), authstore.Config{URL: b.url}, b.opts)
		wantKind(t, err, idbridge.Conflicting)
		for _, want := range []string{"9.8.7", "0.1.9", "9999", known} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("error %q does not name %s", err, want)
			}
		}
		if !strings.Contains(idbridge.HintOf(err), "9.8.7") {
			t.Errorf("hint %q", idbridge.HintOf(err))
		}
		b.ask(`DELETE FROM goose_db_version WHERE version_id = 9999`)
		b.open()
		if u := must(b.UserByName(t.Context(), "ann"))(t); u.ID == 0 {
			t.Errorf("user %+v", u)
		}
	})
}
