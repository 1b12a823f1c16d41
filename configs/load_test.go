package configs_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/authstore"
	"github.com/idbridge/idbridge/configs"
	"github.com/idbridge/idbridge/sync/engine"
	"github.com/idbridge/idbridge/sync/plan"
	"github.com/idbridge/idbridge/sync/schedule"
)

const small = `directories:
- name: corp
  urls: [ldaps://a]
  base_dn: dc=a
  map: {userName: uid}
`

func mustLoad(t *testing.T, yaml string) *configs.Config {
	t.Helper()
	cfg, err := load(t, yaml)
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func TestDefaults(t *testing.T) {
	cfg := mustLoad(t, small)
	d, ok := cfg.Directory("corp")
	if !ok {
		t.Fatal("no directory")
	}
	if got, want := d.Policy.Limits, plan.DefaultLimits(); got != want {
		t.Errorf("limits %+v, want %+v", got, want)
	}
	for _, check := range []struct {
		what      string
		got, want any
	}{
		{"store", cfg.Store.URL, "sqlite:idbridge.db"},
		{"listen", cfg.HTTP.Listen, "127.0.0.1:8080"},
		{"public", cfg.HTTP.PublicURL, ""},
		{"metrics", cfg.Metrics.Listen, ""},
		{"zone", cfg.Zone.String(), "UTC"},
		{"mode", d.Mode, engine.ApplyAll},
		{"missed", d.Timing.Missed, schedule.RunOnce},
		{"limit", d.Timing.Limit, 6 * time.Hour},
		{"confirm", d.Policy.ConfirmAfter, 10 * time.Minute},
		{"purge", d.Policy.PurgeAfter, 30 * 24 * time.Hour},
		{"access", d.Policy.Access, plan.AllLinks},
		{"link by", d.Policy.LinkBy, []idbridge.Attribute{idbridge.UserName}},
		{"required", d.Policy.Required, []idbridge.Attribute{idbridge.UserName}},
		{"rules", d.Policy.Rules, map[idbridge.Attribute]plan.Rule{idbridge.UserName: {Flow: plan.In, OnConflict: plan.PreferDirectory}}},
		{"filter", d.LDAP.Users.Filter, "(objectClass=inetOrgPerson)"},
		{"groups are not read without roles", d.LDAP.Groups.Filter, ""},
		{"page", d.LDAP.PageSize, 1000},
		{"idle", d.LDAP.Timeouts.Idle, time.Minute},
		{"scope", d.Policy.Scope, d.LDAP.Scope()},
		{"full", d.Timing.Full.IsZero(), true},
		{"outward", len(cfg.Outward["corp"]), 0},
	} {
		if diff := cmp.Diff(check.want, check.got); diff != "" {
			t.Errorf("%s: -want +got:\n%s", check.what, diff)
		}
	}
}

func TestWritten(t *testing.T) {
	cfg := mustLoad(t, configs.Example())
	d := cfg.Directories[0]
	want := []idbridge.Attribute{idbridge.Email, idbridge.FamilyName, idbridge.GivenName, "phone"}
	if diff := cmp.Diff(want, cfg.Outward["corp"]); diff != "" {
		t.Errorf("outward: -want +got:\n%s", diff)
	}
	if got := d.Policy.Rules["phone"]; got != (plan.Rule{Flow: plan.Both, OnConflict: plan.HoldConflict}) {
		t.Errorf("phone: %v", got)
	}
	if cfg.Schema["phone"].Match != idbridge.Telephone {
		t.Error("phone does not match as a telephone")
	}
	if got := d.Timing.Full.Next(time.Date(2027, 1, 1, 12, 0, 0, 0, time.UTC)); !got.Equal(time.Date(2027, 1, 2, 2, 15, 0, 0, time.UTC)) {
		t.Errorf("03:15 in Paris is %v", got.UTC())
	}
	if len(cfg.Roles) != 2 || len(d.Policy.Roles) != 2 || d.Policy.Roles[1].Application != "Dream Team" {
		t.Errorf("roles: %v", d.Policy.Roles)
	}
	api := cfg.API()
	if len(api.TrustedProxies) != 1 || len(api.Permissions["HELPDESK"]) != 2 || len(api.Directories) != 1 || len(api.Validate()) > 0 {
		t.Errorf("api: %+v", api)
	}
	if len(d.LDAP.Map) != 8 || d.LDAP.Bind.Password.Reveal() == "" {
		t.Errorf("ldap: %+v", d.LDAP)
	}
}

func TestGuardLimits(t *testing.T) {
	for written, want := range map[string][2]float64{
		"5%": {5, 0.05}, "0": {0, 0}, "7": {7, 0}, "[7, 2.5%]": {7, 0.025}, "[2.5 %, 7]": {7, 0.025}, "0%": {5, 0}, "100%": {5, 1},
	} {
		cfg := mustLoad(t, small+"  guards: {removals: "+written+"}\n")
		l := cfg.Directories[0].Policy.Limits
		if got := [2]float64{float64(l.Removals), l.RemovalsShare}; got != want || l.RemovalsCap != 500 {
			t.Errorf("%s: %v, want %v (cap %d)", written, got, want, l.RemovalsCap)
		}
	}
	if l := mustLoad(t, small+"  guards: {removals: 900}\n").Directories[0].Policy.Limits; l.RemovalsCap != 900 {
		t.Errorf("a written number above the cap is cut to %d", l.RemovalsCap)
	}
}

func TestScopeMoves(t *testing.T) {
	base := mustLoad(t, small).Directories[0].Policy.Scope
	same := mustLoad(t, strings.Replace(small, "ldaps://a", "ldaps://b", 1)).Directories[0].Policy.Scope
	if base != same {
		t.Error("another server of the same directory moves the scope")
	}
	for _, other := range []string{
		strings.Replace(small, "dc=a", "dc=b", 1),
		strings.Replace(small, "userName: uid", "userName: cn", 1),
		small + "  users: {filter: (uid=*)}\n",
		small + "  users: {id: uid}\n",
	} {
		if mustLoad(t, other).Directories[0].Policy.Scope == base {
			t.Errorf("the scope does not see the change in\n%s", other)
		}
	}
}

func TestPasswords(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write("good", "s3cret word \r\n")
	write("empty", "\n")
	write("lines", "a\nb\n")
	write("huge", strings.Repeat("x", 70_000))
	env := func(name string) string {
		return map[string]string{"IDBRIDGE_CORP_PASSWORD": "from the environment"}[name]
	}
	for _, row := range []struct{ key, want, fault string }{
		{"password: plain", "plain", ""},
		{"password_file: good", "s3cret word ", ""},
		{"password_file: empty", "", "the file is empty"},
		{"password_file: lines", "", "the file has several lines"},
		{"password_file: huge", "", "is larger than a password can be"},
		{"password_file: .", "", "is a directory"},
		{"password_file: nothing", "", "no such file"},
		{"dn: cn=a", "from the environment", ""},
	} {
		path := write("idbridge.yaml", small+"  bind: {dn: cn=b, "+strings.Replace(row.key, "dn: cn=a", "", 1)+"}\n")
		cfg, err := configs.Load(path, env)
		switch {
		case row.fault != "":
			if err == nil || !strings.Contains(err.Error(), row.fault) {
				t.Errorf("%s: %v, want %s", row.key, err, row.fault)
			}
		case err != nil:
			t.Errorf("%s: %v", row.key, err)
		case cfg.Directories[0].LDAP.Bind.Password.Reveal() != row.want:
			t.Errorf("%s: another password", row.key)
		case strings.Contains(configs.Show(cfg), row.want):
			t.Errorf("%s: shown", row.key)
		}
	}
}

// TestNoFile shows what a person sees who has no file, and one whose file is no config.
func TestNoFile(t *testing.T) {
	_, err := configs.Load(filepath.Join(t.TempDir(), "idbridge.yaml"), nil)
	var f *configs.Faults
	if !errors.As(err, &f) || !strings.Contains(err.Error(), "no such file") || !strings.Contains(err.Error(), "config example") {
		t.Errorf("%v", err)
	}
	for name, text := range map[string]string{
		"the file says nothing":          "",
		"says nothing":                   "# only a comment\n",
		"not UTF-8":                      "a: \xff\n",
		"1048577 bytes":                  strings.Repeat("#", 1<<20+1),
		"control character":              "a: \x00\n",
		"more than 64 brackets":          "a: " + strings.Repeat("[", 1000),
		"more than 12000 keys":           strings.Repeat("a: b\n", 13_000),
		"keys or 20000 lines":            "a: {" + strings.Repeat("b,", 400_000) + "}",
		"or 20000 lines":                 strings.Repeat("- - -\n", 30_000),
		"lists in each other":            "a:\n " + strings.Repeat("- ", 100),
		"a: unknown key":                 billionLaughs(),
		"anchors are not used here":      "attributes:\n" + strings.ReplaceAll("\n"+billionLaughs(), "\n", "\n "),
		"must be keys and values, not a": "42\n",
	} {
		if _, err := load(t, text); err == nil || !strings.Contains(err.Error(), name) || len(err.Error()) > 20_000 {
			t.Errorf("want %q: %.300v", name, err)
		}
	}
}

// TestF18: what the libraries under us panic on, accept by mistake or never end with is a fault with a place.
func TestF18(t *testing.T) {
	cron := func(text string) string { return small + "  schedule: {full: \"" + text + "\"}\n" }
	for name, row := range map[string]struct {
		yaml, says   string
		line, column int
	}{
		"TZ":              {cron("TZ=UTC"), "names no time zone", 6, 20},
		"CRON_TZ":         {cron("CRON_TZ="), "names no time zone", 6, 20},
		"31 February":     {cron("0 0 31 2 *"), "never comes", 6, 20},
		"10 KB":           {cron(strings.Repeat("0,", 5120) + "0 * * * *"), "256 characters at most", 6, 20},
		"beyond":          {cron("*/61 * * * *"), "never comes", 6, 20},
		"bomb":            {small + "attributes:\n  " + strings.ReplaceAll(billionLaughs(), "\n", "\n  "), "anchors are not used", 7, 6},
		"expression loop": {strings.Replace(small, "uid}", "uid, displayName: {expr: 'map(1..1000000000, 1)'}}", 1), "ranges are not used", 5, 50},
		"expression deep": {strings.Replace(small, "uid}", "uid, displayName: {expr: '"+strings.Repeat("(", 1900)+"'}}", 1), "expression: ", 5, 0},
	} {
		_, err := load(t, row.yaml)
		var f *configs.Faults
		if !errors.As(err, &f) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		first := f.List[0]
		if !strings.Contains(first.Msg, row.says) || first.Line != row.line || row.column > 0 && first.Column != row.column || first.Column < 1 {
			t.Errorf("%s: %d:%d %s, want %d:%d %s", name, first.Line, first.Column, first.Msg, row.line, row.column, row.says)
		}
	}
}

// TestOverrides: an exception reaches the policy, with its end in the config's time zone; one that is over stays.
func TestOverrides(t *testing.T) {
	cfg := mustLoad(t, "timezone: Europe/Paris\n"+small+`  guards:
    keys: 2%
    overrides:
    - {guard: removals, limit: 300, until: 2026-07-01, by: ann, why: a merger}
    - {guard: admin_grants, limit: 9, until: "2026-07-01T12:00:00Z", by: bea, why: new hires}
retention: {runs: 30d, conflicts: never}
`)
	want := []idbridge.Override{
		{Guard: plan.GuardRemovals, Limit: 300, Until: time.Date(2026, 6, 30, 22, 0, 0, 0, time.UTC), By: "ann", Why: "a merger"},
		{Guard: plan.GuardAdminGrants, Limit: 9, Until: time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC), By: "bea", Why: "new hires"},
	}
	p := cfg.Directories[0].Policy
	if diff := cmp.Diff(want, p.Overrides); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if l := p.Limits; l.Keys != 10 || l.KeysShare != 0.02 || l.Admins != 3 || l.AdminsShare != 0 {
		t.Errorf("%+v", l)
	}
	if got, want := cfg.Retention, (authstore.Retention{Runs: 30 * 24 * time.Hour, Audit: 400 * 24 * time.Hour}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	soon := time.Now().Add(80 * 24 * time.Hour).Format(time.DateOnly)
	if _, err := load(t, small+"  guards: {overrides: [{guard: ids, limit: 1, until: "+soon+", by: a, why: b}]}\n"); err != nil {
		t.Error(err)
	}
}

// TestComputed: an expression flows in, moves the scope, and is asked for nothing else.
func TestComputed(t *testing.T) {
	yaml := func(x string) string { return strings.Replace(small, "uid}", "uid, displayName: "+x+"}", 1) }
	d := mustLoad(t, yaml(`{from: displayName, else: 'givenName + " " + sn'}`)).Directories[0]
	if got := d.Policy.Rules[idbridge.DisplayName].Flow; got != plan.In {
		t.Errorf("flows %s", got)
	}
	if f := d.LDAP.Map[1]; f.Else != `givenName + " " + sn` || f.From != "displayName" {
		t.Errorf("%+v", f)
	}
	seen := map[string]string{}
	for _, x := range []string{"displayName", "{from: displayName, else: 'sn'}", "{from: displayName, else: 'cn'}", "{expr: 'cn'}", "{expr: 'sn'}"} {
		scope := mustLoad(t, yaml(x)).Directories[0].Policy.Scope
		if seen[scope] != "" {
			t.Errorf("%s and %s have one scope", x, seen[scope])
		}
		seen[scope] = x
	}
}

func billionLaughs() string {
	s := "a: &a [lol,lol,lol]\n"
	for c := 'b'; c <= 'z'; c++ {
		p := "*" + string(c-1)
		s += string(c) + ": &" + string(c) + " [" + strings.Repeat(p+",", 8) + p + "]\n"
	}
	return s
}

// TestMachineForm holds the JSON of faults.
func TestMachineForm(t *testing.T) {
	_, err := load(t, "log: {level: debgu}\n"+small)
	var f *configs.Faults
	if !errors.As(err, &f) {
		t.Fatal(err)
	}
	f.File = "idbridge.yaml"
	got, err := json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"file":"idbridge.yaml","faults":[{"path":"log.level","line":1,"column":14,"message":"\"debgu\" is not known",` +
		`"hint":"did you mean \"debug\"?","source":"log: {level: debgu}"}]}`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
