package configs_test

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/idbridge/idbridge/configs"
)

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestShow(t *testing.T) {
	golden(t, "testdata/show-small.yaml", configs.Show(mustLoad(t, small)))
	golden(t, "testdata/show-example.yaml", configs.Show(mustLoad(t, configs.Example())))
}

// TestShowLoadsAgain holds that what Show prints means the same, but for passwords.
func TestShowLoadsAgain(t *testing.T) {
	for name, yaml := range map[string]string{
		"small":   small,
		"example": configs.Example(),
		"odd": `attributes: {"yes": {}, on-call: {match: exact}}
timezone: Europe/Paris
` + strings.Replace(small, "  map: {userName: uid}\n", "", 1) + `  users: {filter: "(cn=a\\2a\"b')"}
  canary: "cn=hash\\, \\\"q\\\" #1,dc=a"
  absent: {purge_after: never}
  guards: {removals: [3, 2.5%], writes: 0, overrides: [{guard: ids, limit: 7, until: "2026-07-01T12:00:00Z", by: "ann: b", why: "it's \"so\""}]}
  map: {userName: uid, displayName: {expr: 'sn == "it''s" ? "a\b" : givenName'}}
`,
	} {
		first := mustLoad(t, yaml)
		shown := configs.Show(first)
		second, err := load(t, shown)
		if err != nil {
			t.Fatalf("%s: %v\n%s", name, err, shown)
		}
		strip := func(s string) string { // origins differ: everything is written now
			var b strings.Builder
			for line := range strings.Lines(s) {
				text, _, _ := strings.Cut(line, " # ")
				b.WriteString(strings.TrimRight(text, " \n") + "\n")
			}
			return b.String()
		}
		if diff := cmp.Diff(strip(shown), strip(configs.Show(second))); diff != "" {
			t.Errorf("%s: -first +second:\n%s", name, diff)
		}
		a, b := first.Directories[0], second.Directories[0]
		if diff := cmp.Diff(a.Policy, b.Policy); diff != "" {
			t.Errorf("%s: policy: -first +second:\n%s", name, diff)
		}
		a.LDAP.Bind, b.LDAP.Bind = first.Directories[0].LDAP.Bind, a.LDAP.Bind
		if diff := cmp.Diff(a.LDAP.Users, b.LDAP.Users); diff != "" || a.LDAP.Scope() != b.LDAP.Scope() || a.LDAP.Canary != b.LDAP.Canary {
			t.Errorf("%s: ldap: -first +second:\n%s", name, diff)
		}
		if a.Timing.Full.String() != b.Timing.Full.String() || first.Zone.String() != second.Zone.String() {
			t.Errorf("%s: timing differs", name)
		}
	}
}
