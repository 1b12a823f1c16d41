package plan_test

import (
	"testing"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/sync/plan"
)

func benchCase() (*plan.Policy, idbridge.Profile) {
	p := &plan.Policy{
		Directory: "corp", Schema: idbridge.CoreSchema(), Required: []idbridge.Attribute{idbridge.UserName}, Writable: true,
		Rules: map[idbridge.Attribute]plan.Rule{
			"userName": {Flow: plan.In}, "givenName": {Flow: plan.Both}, "familyName": {Flow: plan.Both}, "displayName": {Flow: plan.Both},
			"email": {Flow: plan.Both}, "phone": {Flow: plan.Both},
		},
		Limits: plan.DefaultLimits(),
	}
	p.Schema["phone"] = idbridge.Spec{Match: idbridge.Telephone}
	return p, idbridge.Profile{
		"userName": {"ada0001"}, "givenName": {"Ada"}, "familyName": {"Lovelace"}, "displayName": {"Ada Lovelace"},
		"email": {"ada.lovelace@example.org"}, "phone": {"+44 20 7946 0018"},
	}
}

// BenchmarkDecideUnchanged: the digest is another one (a new scope, say), and nothing else.
func BenchmarkDecideUnchanged(b *testing.B) {
	p, profile := benchCase()
	s := idbridge.Subject{
		ID: record(1), User: &idbridge.User{ID: 7, Profile: profile.Clone()},
		Link: &idbridge.Link{ID: record(1), User: 7, Base: profile.Clone(), State: idbridge.LinkActive},
	}
	o := plan.Observed{Record: &idbridge.Record{ID: record(1), Locator: "uid=ada", Profile: profile}, Digest: shownDigest}
	b.ReportAllocs()
	for b.Loop() {
		if d := plan.Decide(p, s, o, noon); len(d.Steps) != 0 {
			b.Fatal("something to do")
		}
	}
}

// BenchmarkDecideCreate: a new record.
func BenchmarkDecideCreate(b *testing.B) {
	p, profile := benchCase()
	s := idbridge.Subject{ID: record(1)}
	o := plan.Observed{Record: &idbridge.Record{ID: record(1), Locator: "uid=ada", Profile: profile}, Digest: shownDigest}
	b.ReportAllocs()
	for b.Loop() {
		if d := plan.Decide(p, s, o, noon); d.Situation != idbridge.Created {
			b.Fatal("not created")
		}
	}
}

// BenchmarkTallyAdd: a new record is added up.
func BenchmarkTallyAdd(b *testing.B) {
	p, profile := benchCase()
	d := plan.Decide(p, idbridge.Subject{ID: record(1)}, plan.Observed{
		Record: &idbridge.Record{ID: record(1), Locator: "uid=ada", Profile: profile}, Digest: shownDigest,
	}, noon)
	tally := plan.NewTally(p)
	b.ReportAllocs()
	for b.Loop() {
		tally.Add(&d)
	}
}

// BenchmarkGrantsOf: one group under ten rules.
func BenchmarkGrantsOf(b *testing.B) {
	p := groupRules()
	for range 10 {
		p.Roles = append(p.Roles, idbridge.RoleRule{Role: "X", Directory: "corp", Group: "cn=quality,ou=groups,dc=example,dc=org"})
	}
	b.ReportAllocs()
	for b.Loop() {
		plan.GrantsOf(p, "cn=admins,ou=groups,dc=example,dc=org")
	}
}
