package ldap_test

import (
	"strings"
	"testing"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/internal/mapping"
	"github.com/idbridge/idbridge/internal/testserver"
)

// TestValidateStep (R13): what Validate refuses without a word to the server, Apply refuses; what it lets pass and Rehearse
// too, Apply does.
func TestValidateStep(t *testing.T) {
	srv, p, cfg := saboteur(t, person("uid=anna", "anna", "displayName", "Anna", "telephoneNumber", "1", "preferredLanguage", "de"))
	cfg.Schema = idbridge.CoreSchema()
	for attribute, from := range map[idbridge.Attribute]string{
		"phone": "telephoneNumber", "boss": "manager", "unknown": "noSuchAttribute", "when": "createTimestamp", "home": "homeDirectory",
		"number": "uidNumber", "language": "preferredLanguage",
	} {
		cfg.Schema[attribute] = idbridge.Spec{}
		cfg.Map = append(cfg.Map, mapping.Field{Attribute: attribute, From: from})
	}
	s := session(t, directory(t, cfg))
	rec := complete(t, s).records["anna"]
	step := func(a idbridge.Attribute, after ...string) idbridge.Step {
		out := update(rec, a, after...)
		out.Locator = rec.Locator
		return out
	}
	for name, c := range map[string]struct {
		step  idbridge.Step
		words string // "" passes
	}{
		"good":                 {step(idbridge.DisplayName, "Ännå"), ""},
		"good phone":           {step("phone", "+33 (4) 76-00"), ""},
		"good name":            {step("boss", "uid=anna,ou=people,dc=example,dc=org"), ""},
		"cleared":              {step("phone"), ""},
		"unknown attribute":    {step("unknown", "x"), "knows no attribute noSuchAttribute"},
		"the server's own":     {step("when", "20200101000000Z"), "only the directory itself writes"},
		"two values":           {step("language", "de", "fr"), "takes one value"},
		"required, emptied":    {step(idbridge.FamilyName), "cannot be emptied"},
		"in the entry's name":  {step(idbridge.UserName, "berta"), "does not rename entries yet"},
		"zero byte":            {step(idbridge.DisplayName, "a\x00b"), "not valid text"},
		"no UTF-8":             {step(idbridge.DisplayName, "caf\xe9"), "not valid text"},
		"not ASCII":            {step(idbridge.Email, "änna@x.org"), "takes ASCII text for mail"},
		"no phone":             {step("phone", "call me!"), "takes letters, digits"},
		"no DN":                {step("boss", "Berta"), "takes a distinguished name"},
		"longer than we read":  {step(idbridge.DisplayName, strings.Repeat("x", 1<<20+1)), "could not be read back"},
		"not mapped":           {step("shoeSize", "44"), "not mapped"},
		"a verb for the store": {idbridge.Step{ID: rec.ID, Side: idbridge.StoreSide, Verb: idbridge.Suspend}, "updates of attributes only"},
	} {
		t.Run(name, func(t *testing.T) {
			asked := p.Count("")
			err := s.Validate(c.step)
			if p.Count("") != asked {
				t.Error("the server was asked")
			}
			rehearsed := s.Rehearse(t.Context(), c.step)
			before := writes(t, srv)
			if c.words != "" {
				wantFault(t, err, idbridge.Refused, c.words)
				wantFault(t, rehearsed, idbridge.Refused, c.words)
				_, err = s.Apply(t.Context(), c.step)
				wantFault(t, err, idbridge.Refused, c.words)
				if writes(t, srv) != before {
					t.Error("it was sent")
				}
				return
			}
			if err != nil || rehearsed != nil {
				t.Errorf("refused: %v, %v", err, rehearsed)
			}
			if _, err := s.Apply(t.Context(), c.step); err != nil {
				t.Errorf("passed, and then: %v", err)
			}
			back := c.step
			back.Before, back.After = c.step.After, c.step.Before
			if _, err := s.Apply(t.Context(), back); err != nil {
				t.Errorf("and back: %v", err)
			}
		})
	}
	t.Run("only the entry's classes say it", func(t *testing.T) {
		wantFault(t, s.Validate(step("number", "many")), idbridge.Refused, "takes a whole number")
		home := step("home", "/x")
		if err := s.Validate(home); err != nil {
			t.Errorf("Validate does not know the entry's classes: %v", err)
		}
		wantFault(t, s.Rehearse(t.Context(), home), idbridge.Refused, "none of its classes allows it")
		gone := home
		gone.ID.ID = "00000000-0000-0000-0000-000000000001"
		wantFault(t, s.Rehearse(t.Context(), gone), idbridge.NotFound)
		if err := srv.Modify(testserver.Change(rec.Locator, "displayName", "Theirs")); err != nil {
			t.Fatal(err)
		}
		wantFault(t, s.Rehearse(t.Context(), step(idbridge.DisplayName, "Ours")), idbridge.Conflicting)
	})
}

// TestRefusesNoMoreThanTheServer: a value that we refuse by the published syntax is one that slapd refuses too.
func TestRefusesNoMoreThanTheServer(t *testing.T) {
	srv := testserver.Slapd(t, testserver.SlapdOptions{LDIF: testserver.Entry("uid=anna,ou=people,dc=example,dc=org",
		"objectClass", "inetOrgPerson", "objectClass", "posixAccount", "uid", "anna", "cn", "a", "sn", "a", "uidNumber", "1",
		"gidNumber", "1", "homeDirectory", "/")})
	cfg := settings(srv)
	cfg.Schema = idbridge.CoreSchema()
	sources := []string{"telephoneNumber", "mail", "manager", "uidNumber", "title", "homeDirectory", "destinationIndicator", "x121Address", "employeeNumber", "preferredLanguage"}
	for _, from := range sources {
		cfg.Schema[idbridge.Attribute(from)] = idbridge.Spec{Match: idbridge.CaseExact}
		if from != "mail" {
			cfg.Map = append(cfg.Map, mapping.Field{Attribute: idbridge.Attribute(from), From: from})
		}
	}
	cfg.Map = append(cfg.Map[:4:4], append([]mapping.Field{{Attribute: "mail", From: "mail"}}, cfg.Map[5:]...)...)
	s := session(t, directory(t, cfg))
	rec := complete(t, s).records["anna"]
	refused := 0
	for _, from := range sources {
		for _, v := range []string{
			"1", "+33 (0)4-76.00,00/1", "call me!", "ä", "a@b", "uid=a,dc=b", "Berta", "-5", "+5", "007", "1.5", "12 34", "FR", "x#y", "a*b", `a"b`, "_",
			strings.Repeat("9", 400), " x", "x ", "\t", "a\nb", "\u00a0",
		} {
			if err := s.Validate(update(rec, idbridge.Attribute(from), v)); err == nil {
				continue
			}
			refused++
			if strings.TrimSpace(v) == "" {
				continue // our own rule
			}
			if err := srv.Modify(testserver.Change(rec.Locator, from, v)); err == nil {
				t.Errorf("%s: slapd takes %q", from, v)
			}
		}
	}
	if refused < 30 {
		t.Errorf("only %d refused", refused)
	}
}
