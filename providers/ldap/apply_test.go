package ldap_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/internal/mapping"
	"github.com/idbridge/idbridge/internal/testserver"
	"github.com/idbridge/idbridge/providers/ldap"
	"github.com/idbridge/idbridge/providers/ldapsim"
)

// update is a step for one attribute.
func update(rec idbridge.Record, a idbridge.Attribute, after ...string) idbridge.Step {
	return idbridge.Step{
		ID: rec.ID, Side: idbridge.DirectorySide, Verb: idbridge.Update,
		Before: idbridge.Profile{a: rec.Profile[a]}, After: idbridge.Profile{a: after},
	}
}

// writing is a directory of one writable person and his record.
func writing(t *testing.T, o testserver.SlapdOptions, more ...string) (*testserver.SlapdServer, *ldap.Session, idbridge.Record) {
	t.Helper()
	o.LDIF += person("uid=anna", "anna", more...)
	srv := testserver.Slapd(t, o)
	s := session(t, directory(t, settings(srv)))
	return srv, s, complete(t, s).records["anna"]
}

func writes(t *testing.T, srv *testserver.SlapdServer) int {
	t.Helper()
	n, err := srv.Writes()
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// stored returns an attribute's lines as ldapsearch prints them.
func stored(t *testing.T, srv *testserver.SlapdServer, uid, attribute string) []string {
	t.Helper()
	out, err := srv.Search(srv.BaseDN, "(uid="+uid+")", attribute)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for line := range strings.SplitSeq(out, "\n") {
		if line != "" && !strings.HasPrefix(line, "dn:") {
			lines = append(lines, line)
		}
	}
	return lines
}

func TestApplyTouchesOnlyWhatChanges(t *testing.T) {
	srv, s, rec := writing(t, testserver.SlapdOptions{}, "mail", "One@x.org", "mail", "two@x.org", "displayName", "Anna",
		"displayName;lang-de", "Änne", "telephoneNumber", "1")
	after, err := s.Apply(t.Context(), update(rec, idbridge.Email, "ONE@x.org", "three@x.org"))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"mail: One@x.org", "mail: three@x.org"} // the value that is the same keeps its spelling
	if diff := cmp.Diff(want, stored(t, srv, "anna", "mail")); diff != "" {
		t.Errorf("stored (-want +got):\n%s", diff)
	}
	if after.Version == rec.Version || after.Version == "" {
		t.Errorf("version %q after %q", after.Version, rec.Version)
	}
	if _, err := s.Apply(t.Context(), update(rec, idbridge.DisplayName, "Anna B")); err != nil {
		t.Fatal(err)
	}
	if got := stored(t, srv, "anna", "displayName"); len(got) != 2 || got[0] != "displayName;lang-de:: w4RubmU=" {
		t.Errorf("a tagged value was touched: %q", got)
	}
}

// TestApplyWritesNothingTwice: what is equal under the attribute's rule is never sent, however often it is asked.
func TestApplyWritesNothingTwice(t *testing.T) {
	srv := testserver.Slapd(t, testserver.SlapdOptions{LDIF: person("uid=anna", "anna", "displayName", "Anna  Berg", "telephoneNumber", "+33 1 23-45")})
	cfg := settings(srv)
	cfg.Schema = idbridge.CoreSchema()
	cfg.Schema["phone"] = idbridge.Spec{Match: idbridge.Telephone}
	cfg.Map = append(cfg.Map, mapping.Field{Attribute: "phone", From: "telephoneNumber"})
	s := session(t, directory(t, cfg))
	rec := complete(t, s).records["anna"]
	for range 10 {
		for _, step := range []idbridge.Step{update(rec, "phone", "+33 12345"), update(rec, idbridge.DisplayName, " anna BERG ")} {
			if _, err := s.Apply(t.Context(), step); err != nil {
				t.Fatal(err)
			}
		}
	}
	if n := writes(t, srv); n != 0 {
		t.Errorf("%d writes of equal values", n)
	}
}

// TestApplyRefuses: what the server would refuse is refused before, in plain words, and nothing is changed.
func TestApplyRefuses(t *testing.T) {
	srv, s, rec := writing(t, testserver.SlapdOptions{}, "displayName", "Anna", "givenName", "Anna")
	for name, c := range map[string]struct {
		step  idbridge.Step
		words string
	}{
		"required attribute emptied": {update(rec, idbridge.FamilyName), "familyName cannot be emptied"},
		"value of the entry's name":  {update(rec, idbridge.UserName, "berta"), "does not rename entries yet"},
		"empty value":                {update(rec, idbridge.DisplayName, " "), "empty value"},
		"two values":                 {update(rec, idbridge.DisplayName, "a", "b"), "takes one value"},
		"no text":                    {update(rec, idbridge.GivenName, "caf\xe9"), "not valid text"},
		"against the syntax":         {update(rec, idbridge.Email, "änna@x.org"), "takes ASCII text for mail"},
		"not mapped":                 {update(rec, "shoeSize", "44"), "not mapped"},
		"a verb for the store":       {idbridge.Step{ID: rec.ID, Side: idbridge.StoreSide, Verb: idbridge.Suspend}, "updates of attributes only"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := s.Apply(t.Context(), c.step)
			wantFault(t, err, idbridge.Refused, c.words)
		})
	}
	if n := writes(t, srv); n != 0 {
		t.Errorf("%d requests were sent", n)
	}
	t.Run("not in the schema", func(t *testing.T) {
		cfg := settings(srv)
		cfg.Map[3].From = "noSuchAttribute"
		_, err := session(t, directory(t, cfg)).Apply(t.Context(), update(idbridge.Record{ID: rec.ID}, idbridge.DisplayName, "x"))
		wantFault(t, err, idbridge.Refused, "knows no attribute noSuchAttribute")
	})
	t.Run("not allowed by the classes", func(t *testing.T) {
		cfg := settings(srv)
		cfg.Map[3].From = "homeDirectory"
		_, err := session(t, directory(t, cfg)).Apply(t.Context(), update(idbridge.Record{ID: rec.ID}, idbridge.DisplayName, "/x"))
		wantFault(t, err, idbridge.Refused, "none of its classes allows it")
	})
	t.Run("only the server writes it", func(t *testing.T) {
		cfg := settings(srv)
		cfg.Map[3].From = "createTimestamp"
		s := session(t, directory(t, cfg))
		_, err := s.Apply(t.Context(), update(complete(t, s).records["anna"], idbridge.DisplayName, "20200101000000Z"))
		wantFault(t, err, idbridge.Refused, "only the directory itself writes")
	})
	if diff := cmp.Diff(rec.Version, complete(t, s).records["anna"].Version); diff != "" {
		t.Errorf("the entry changed:\n%s", diff)
	}
}

func TestApplyWithoutTheRight(t *testing.T) {
	_, s, rec := writing(t, testserver.SlapdOptions{Access: []string{`access to attrs=displayName by * read`}}, "displayName", "Anna")
	_, err := s.Apply(t.Context(), update(rec, idbridge.DisplayName, "B"))
	wantFault(t, err, idbridge.Refused, "does not let us write", "write access", "flow: in")
	if _, err := s.Apply(t.Context(), update(rec, idbridge.GivenName, "G")); err != nil {
		t.Errorf("another attribute: %v", err)
	}
}

// TestApplyBesideOthers: somebody writes another attribute of the entry all the time; ours gets through or says so, and
// never touches theirs.
func TestApplyBesideOthers(t *testing.T) {
	srv, s, rec := writing(t, testserver.SlapdOptions{}, "displayName", "D0", "title", "t")
	stop, dn := make(chan struct{}), rec.Locator
	var wait sync.WaitGroup
	wait.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			if err := srv.Modify(testserver.Change(dn, "title", fmt.Sprintf("t%d", i))); err != nil {
				t.Error(err)
				return
			}
		}
	})
	done := 0
	for i := range 50 {
		after, err := s.Apply(t.Context(), update(rec, idbridge.DisplayName, fmt.Sprintf("D%d", i+1)))
		switch idbridge.KindOf(err) {
		case idbridge.Conflicting: // three times in a row the entry moved under us
		default:
			if err != nil {
				t.Fatal(err)
			}
			rec, done = after, done+1
		}
	}
	close(stop)
	wait.Wait()
	if done < 40 {
		t.Errorf("%d of 50 writes got through", done)
	}
}

// TestApplyAddsToNobodysValue: where there was nothing to delete, another's value is noticed all the same.
func TestApplyAddsToNobodysValue(t *testing.T) {
	srv, s, rec := writing(t, testserver.SlapdOptions{})
	if err := srv.Modify(testserver.Change(rec.Locator, "mail", "theirs@x.org")); err != nil {
		t.Fatal(err)
	}
	_, err := s.Apply(t.Context(), update(rec, idbridge.Email, "ours@x.org"))
	wantFault(t, err, idbridge.Conflicting, "email was changed")
	if diff := cmp.Diff([]string{"mail: theirs@x.org"}, stored(t, srv, "anna", "mail")); diff != "" {
		t.Error(diff)
	}
}

// TestApplyPhoto: an attribute without an equality rule is replaced whole, guarded by the version.
func TestApplyPhoto(t *testing.T) {
	srv := testserver.Slapd(t, testserver.SlapdOptions{LDIF: person("uid=anna", "anna", "jpegPhoto", "\xff\xd8old")})
	cfg := settings(srv)
	cfg.Schema = idbridge.CoreSchema()
	cfg.Schema["photo"] = idbridge.Spec{Match: idbridge.Octets}
	cfg.Map = append(cfg.Map, mapping.Field{Attribute: "photo", From: "jpegPhoto"})
	s := session(t, directory(t, cfg))
	rec := complete(t, s).records["anna"]
	after, err := s.Apply(t.Context(), update(rec, "photo", "\xff\xd8new"))
	if err != nil || after.Profile["photo"].First() != "\xff\xd8new" {
		t.Fatalf("%q, %v", after.Profile["photo"], err)
	}
	if _, err := s.Apply(t.Context(), update(rec, "photo", "\xff\xd8third")); idbridge.KindOf(err) != idbridge.Conflicting {
		t.Errorf("over another's photo: %v", err)
	}
	if after, err = s.Apply(t.Context(), update(after, "photo")); err != nil || len(after.Profile["photo"]) != 0 {
		t.Errorf("removed: %q, %v", after.Profile["photo"], err)
	}
}

// TestApplyAnswerLost: the write happened and its answer did not come: unknown, and the next try finds it done.
func TestApplyAnswerLost(t *testing.T) {
	srv := testserver.Slapd(t, testserver.SlapdOptions{LDIF: person("uid=anna", "anna", "displayName", "Anna")})
	p, err := ldapsim.NewProxy(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	cfg := settings(srv)
	cfg.URLs, cfg.TLS = []string{p.URL()}, ldap.TLS{AllowCleartextBind: true}
	s := session(t, directory(t, cfg))
	rec := complete(t, s).records["anna"]
	lost := p.Fault(ldapsim.Fault{Op: ldapsim.OpModify, Do: ldapsim.Cut})
	before := writes(t, srv)
	_, err = s.Apply(t.Context(), update(rec, idbridge.DisplayName, "Berta"))
	wantFault(t, err, idbridge.Unknown, "nobody knows")
	if lost.Count() != 1 || writes(t, srv) != before+1 {
		t.Fatalf("the fault struck %d times, and slapd wrote %d times", lost.Count(), writes(t, srv)-before)
	}
	before = writes(t, srv)
	after, err := s.Apply(t.Context(), update(rec, idbridge.DisplayName, "Berta"))
	if err != nil {
		if after, err = s.Apply(t.Context(), update(rec, idbridge.DisplayName, "Berta")); err != nil {
			t.Fatalf("again: %v", err)
		}
	}
	if after.Profile[idbridge.DisplayName].First() != "Berta" || writes(t, srv) != before {
		t.Errorf("found done: %q, and %d more writes", after.Profile[idbridge.DisplayName], writes(t, srv)-before)
	}
}

// TestApplyInParallel has many writes in flight on one connection.
func TestApplyInParallel(t *testing.T) {
	srv := testserver.Slapd(t, testserver.SlapdOptions{LDIF: people(t, 300, 1)})
	s := session(t, directory(t, settings(srv)))
	records := complete(t, s).records
	var wait sync.WaitGroup
	slots := make(chan struct{}, 16)
	for name, rec := range records {
		wait.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			after, err := s.Apply(t.Context(), update(rec, idbridge.DisplayName, "new "+name))
			if err != nil || after.Profile[idbridge.DisplayName].First() != "new "+name {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
	wait.Wait()
	if n := writes(t, srv); n != 300 {
		t.Errorf("%d writes for 300 changes", n)
	}
}

func TestApplyIsLoggedAsLDIF(t *testing.T) {
	srv := testserver.Slapd(t, testserver.SlapdOptions{LDIF: person("uid=anna", "anna", "displayName", "Anna")})
	log, text := logTo()
	d, err := ldap.New(settings(srv), log)
	if err != nil {
		t.Fatal(err)
	}
	s := session(t, d)
	rec := complete(t, s).records["anna"]
	if _, err := s.Apply(t.Context(), update(rec, idbridge.DisplayName, "Änne")); err != nil {
		t.Fatal(err)
	}
	want := `dn: uid=anna,ou=people,dc=example,dc=org\nchangetype: modify\ndelete: displayName\ndisplayName: Anna\n-\nadd: displayName\ndisplayName:: w4RubmU=\n-\n`
	if !strings.Contains(text.String(), want) {
		t.Errorf("no LDIF in the log:\n%s", text)
	}
}

// TestLock: the form of a password policy's lock, read and written.
func TestLock(t *testing.T) {
	srv := testserver.Slapd(t, testserver.SlapdOptions{LDIF: person("uid=anna", "anna", "description", "000001010000Z") +
		person("uid=bert", "bert", "description", "20260101000000Z") + person("uid=carl", "carl")})
	cfg := settings(srv)
	// description stands for pwdAccountLockedTime, whose overlay this server does not have.
	cfg.Map = append(cfg.Map, mapping.Field{Attribute: idbridge.Active, From: "description", Form: mapping.Lock})
	s := session(t, directory(t, cfg))
	l := complete(t, s)
	for name, want := range map[string]bool{"anna": false, "bert": true, "carl": true} {
		if got := l.records[name].Profile.IsActive(); got != want {
			t.Errorf("%s is active: %t", name, got)
		}
	}
	if _, err := s.Apply(t.Context(), update(l.records["carl"], idbridge.Active, "false")); err != nil {
		t.Fatal(err)
	}
	if after, err := s.Apply(t.Context(), update(l.records["anna"], idbridge.Active, "true")); err != nil || !after.Profile.IsActive() {
		t.Fatalf("unlock: %v", err)
	}
	if diff := cmp.Diff([]string{"description: 000001010000Z"}, stored(t, srv, "carl", "description")); diff != "" {
		t.Error(diff)
	}
	if !s.Capabilities().Disable.OK {
		t.Error("a mapped active cannot be written?")
	}
}
