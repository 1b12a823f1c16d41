package ldap_test

import (
	"testing"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/internal/testserver"
	"github.com/idbridge/idbridge/providers/ldap"
	"github.com/idbridge/idbridge/providers/ldapsim"
)

// TestTrustEndsBetweenRuns (F23): whatever made us trust each other yesterday and does not today, the next run ends before
// it begins, says what is wrong, and what to do; a session that has to connect again ends the same way.
func TestTrustEndsBetweenRuns(t *testing.T) {
	srv := testserver.Slapd(t, testserver.SlapdOptions{LDIF: people(t, 20, 1)})
	other, err := testserver.NewAuthority(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		change func() error
		kind   idbridge.Kind
		words  []string
	}{
		{"expired", func() error { return srv.SetCertificate(testserver.Certificate{Expired: true}, nil) }, idbridge.Invalid, []string{"has expired", "install a new one"}},
		{"swapped", func() error { return srv.SetCertificate(testserver.Certificate{}, other) }, idbridge.Invalid, []string{"cannot be trusted", "ca_file"}},
		{"another name", func() error { return srv.SetCertificate(testserver.Certificate{Names: []string{"evil.example"}}, nil) }, idbridge.Invalid, []string{"evil.example"}},
		{"another password", func() error {
			if err := srv.SetSyncPassword("changed"); err != nil {
				return err
			}
			return srv.Restart()
		}, idbridge.Unauthentic, []string{"refuses our password", "bind.dn"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := session(t, directory(t, settings(srv)))
			rec := complete(t, s).records["u0000003"]
			if err := c.change(); err != nil {
				t.Fatal(err)
			}
			wantFault(t, openFault(t, settings(srv)), c.kind, c.words...)
			_, err := s.Fetch(t.Context(), []idbridge.ExternalID{rec.ID})
			wantFault(t, err, c.kind, c.words...)
			_, err = s.Apply(t.Context(), update(rec, idbridge.DisplayName, "x"))
			wantFault(t, err, c.kind, c.words...)
			_, err = s.Scope(t.Context(), rec.ID)
			wantFault(t, err, c.kind, c.words...)
			if l := list(t, s); l.end != nil || idbridge.KindOf(l.err) != c.kind {
				t.Errorf("listed: %+v, %v", l.end, l.err)
			}
			if err := srv.SetCertificate(testserver.Certificate{}, nil); err != nil { // as it was
				t.Fatal(err)
			}
			if err := srv.SetSyncPassword(srv.SyncPassword); err != nil {
				t.Fatal(err)
			}
			complete(t, s)
		})
	}
}

// TestStartTLSStripped (F23): somebody on the way takes StartTLS out of the conversation; no password is said.
func TestStartTLSStripped(t *testing.T) {
	_, p, cfg := saboteur(t, people(t, 5, 1))
	cfg.TLS = ldap.TLS{StartTLS: true}
	wantFault(t, openFault(t, cfg), idbridge.Invalid, "refuses StartTLS")
	_, err := directory(t, cfg).Authenticate(t.Context(), "u0000001", "x")
	wantFault(t, err, idbridge.Unavailable, "cannot check passwords now")
	if p.Count(ldapsim.OpStartTLS) != 2 || p.Count(ldapsim.OpBind) != 0 {
		t.Errorf("%d times StartTLS, %d binds", p.Count(ldapsim.OpStartTLS), p.Count(ldapsim.OpBind))
	}
}
