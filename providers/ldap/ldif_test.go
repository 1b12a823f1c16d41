package ldap_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/internal/mapping"
	"github.com/idbridge/idbridge/internal/testserver"
	"github.com/idbridge/idbridge/providers/ldap"
)

// TestLDIF: the text of a step does by ldapmodify what Apply does, and is what Apply says it sends.
func TestLDIF(t *testing.T) {
	long := strings.Repeat("Ünïcödé und sehr lang, ", 20)
	old := []string{"displayName", "Anna", "givenName", "G", "mail", "one@x.org", "mail", "two@x.org"}
	srv := testserver.Slapd(t, testserver.SlapdOptions{LDIF: person(`cn=Ek\2C Änna+uid=a`, "a", append(old, "cn", "Ek, Änna")...) +
		person("uid=b", "b", old...)})
	log, text := logTo()
	d, err := ldap.New(settings(srv), log)
	if err != nil {
		t.Fatal(err)
	}
	s := session(t, d)
	records := complete(t, s).records
	step := func(uid string) idbridge.Step {
		rec := records[uid]
		return idbridge.Step{
			ID: rec.ID, Side: idbridge.DirectorySide, Verb: idbridge.Update, Locator: rec.Locator, Before: rec.Profile,
			After: idbridge.Profile{
				idbridge.DisplayName: {long}, idbridge.GivenName: {}, idbridge.Email: {"ONE@x.org", " three@x.org"},
				idbridge.FamilyName: {"plain but longer than one line of LDIF may be, so that it is folded somewhere in here"},
			},
		}
	}
	record, err := d.LDIF(step("a"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.SplitSeq(record, "\n") {
		if len(line) > 76 {
			t.Errorf("a line of %d: %s", len(line), line)
		}
	}
	if !strings.HasSuffix(record, "-\n\n") || !strings.Contains(record, "\nadd: mail\nmail:: ") || !strings.Contains(record, "\ndelete: mail\nmail: two@x.org\n") {
		t.Error(record)
	}
	if err := srv.Modify(record); err != nil {
		t.Fatalf("ldapmodify: %v\n%s", err, record)
	}
	if _, err := s.Apply(t.Context(), step("b")); err != nil {
		t.Fatal(err)
	}
	for _, attribute := range []string{"displayName", "givenName", "mail", "sn"} {
		if diff := cmp.Diff(stored(t, srv, "b", attribute), stored(t, srv, "a", attribute)); diff != "" {
			t.Errorf("by Apply, and by ldapmodify:\n%s", diff)
		}
	}
	sent, err := d.LDIF(step("b"))
	if err != nil || !strings.Contains(text.String(), strings.ReplaceAll(strings.TrimSuffix(sent, "\n"), "\n", `\n`)) {
		t.Errorf("not what was sent, %v:\n%s", err, sent)
	}
}

func TestLDIFHidesAndRefuses(t *testing.T) {
	srv := testserver.Slapd(t, testserver.SlapdOptions{})
	cfg := settings(srv)
	cfg.Schema = idbridge.CoreSchema()
	cfg.Schema["secret"] = idbridge.Spec{Match: idbridge.CaseExact}
	cfg.Map = append(cfg.Map, mapping.Field{Attribute: "secret", From: "userPassword"})
	d := directory(t, cfg)
	step := idbridge.Step{
		ID: idbridge.ExternalID{Directory: "corp", ID: "1"}, Side: idbridge.DirectorySide, Verb: idbridge.Update, Locator: "uid=a,dc=x",
		Before: idbridge.Profile{"secret": {"old horse"}}, After: idbridge.Profile{"secret": {"new horse"}},
	}
	want := "dn: uid=a,dc=x\nchangetype: modify\ndelete: userPassword\nuserPassword: ***\n-\nadd: userPassword\nuserPassword: ***\n-\n\n"
	if got, err := d.LDIF(step); err != nil || got != want {
		t.Errorf("%v\n%s", err, got)
	}
	equal := step
	equal.After = equal.Before
	if got, err := d.LDIF(equal); err != nil || got != "" {
		t.Errorf("nothing to send: %q, %v", got, err)
	}
	nowhere := step
	nowhere.Locator = ""
	_, err := d.LDIF(nowhere)
	wantFault(t, err, idbridge.Invalid, "where the record is")
	suspend := idbridge.Step{Side: idbridge.StoreSide, Verb: idbridge.Suspend}
	_, err = d.LDIF(suspend)
	wantFault(t, err, idbridge.Refused, "updates of attributes only")
	step.After = idbridge.Profile{"secret": {"a\x00b"}}
	_, err = d.LDIF(step)
	wantFault(t, err, idbridge.Refused, "not valid text")
}
