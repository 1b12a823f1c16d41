package ldap_test

import (
	"strings"
	"testing"
	"time"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/internal/testserver"
	"github.com/idbridge/idbridge/providers/ldap"
)

// TestR08ForgottenConnection: a firewall that silently forgets an idle connection fails no run: each call notices it by its
// limit and is made once more on a new connection, and a write is made once (ForgeRock KB a68718621).
func TestR08ForgottenConnection(t *testing.T) {
	srv := testserver.Slapd(t, testserver.SlapdOptions{LDIF: people(t, 30, 1) + person("uid=anna", "anna", "displayName", "Anna")})
	hole := testserver.NewBlackHole(t, strings.TrimPrefix(srv.URL, "ldap://"))
	cfg := settings(srv)
	cfg.URLs, cfg.TLS = []string{"ldap://" + hole.Addr()}, ldap.TLS{AllowCleartextBind: true}
	cfg.Timeouts = ldap.Timeouts{Dial: 5 * time.Second, Request: time.Second, Idle: time.Second}
	s := session(t, directory(t, cfg))
	rec := complete(t, s).records["anna"]
	for name, call := range map[string]func() error{
		"fetch": func() error {
			got, err := s.Fetch(t.Context(), []idbridge.ExternalID{rec.ID})
			if err == nil && len(got) != 1 {
				t.Errorf("fetched: %v", got)
			}
			return err
		},
		"scope": func() error {
			sc, err := s.Scope(t.Context(), rec.ID)
			if err == nil && !sc.Found {
				t.Errorf("scope: %+v", sc)
			}
			return err
		},
		"write": func() error {
			before := writes(t, srv)
			after, err := s.Apply(t.Context(), update(rec, idbridge.DisplayName, "Berta"))
			if n := writes(t, srv) - before; n != 1 || after.Profile[idbridge.DisplayName].First() != "Berta" {
				t.Errorf("%d writes, and %v", n, after)
			}
			return err
		},
		"listing": func() error {
			if l := complete(t, s); len(l.records) != 31 {
				t.Errorf("%d people", len(l.records))
			}
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			hole.Forget()
			if err := call(); err != nil {
				t.Errorf("%v (hint: %s)", err, idbridge.HintOf(err))
			}
		})
	}
	t.Run("really gone", func(t *testing.T) {
		hole.Drop()
		_, err := s.Fetch(t.Context(), []idbridge.ExternalID{rec.ID})
		wantFault(t, err, idbridge.Unavailable, "does not answer")
		hole.Resume()
	})
}
