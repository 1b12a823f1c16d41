package rest_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/httpapi/credential"
	"github.com/idbridge/idbridge/httpapi/dashboards"
)

func onlyDashboards(s *setup) { s.facades = []string{"dashboards"} }

// applications puts what the documentation's example shows, and a few more.
func (b *bed) applications() {
	b.t.Helper()
	for _, a := range []idbridge.Application{
		{Name: "Dream Team", Href: "AAD/applications/3", DBType: idbridge.DatabaseAAD, ADGDatabase: "adg_contrex_central", Latest: "2026-01-31"},
		{Name: "Bare", Href: "AAD/applications/4", DBType: idbridge.DatabaseAAD},
		{Name: "Central", Href: "ADG/applications/1", DBType: idbridge.DatabaseADG, Snapshots: 2},
	} {
		if err := b.store.PutApplication(context.Background(), a, "test"); err != nil {
			b.t.Fatal(err)
		}
	}
}

func TestDashboardsShapes(t *testing.T) {
	b := newBed(t, onlyDashboards)
	b.person("jdoe")
	b.person("admin", idbridge.Admin)
	jdoe := []string{"Authorization", basic("jdoe", "pw-jdoe")}
	admin := []string{"X-API-KEY", b.keys["admin"].Dotted()}
	b.client().do("GET", "/rest", jdoe...).golden("dashboards/databases-none")
	b.applications()
	b.grant("jdoe", "QUALITY_MANAGER", "Dream Team")
	b.client().do("GET", "/rest", jdoe...).golden("dashboards/databases")
	b.client().do("GET", "/rest/", jdoe...).golden("dashboards/databases")
	b.client().do("GET", "/rest/server", jdoe...).golden("dashboards/server")
	b.client().do("GET", "/rest/user", jdoe...).golden("dashboards/user")
	b.client().do("GET", "/rest/user?application-name=%24all&db-type=AAD", admin...).golden("dashboards/user-admin-all")
	b.client().do("GET", "/rest/user?application-name=$all&db-type=ADG", admin...).golden("dashboards/user-admin-adg")
	b.client().do("GET", "/rest/user?application-name=Dream%20Team&db-type=AAD", jdoe...).golden("dashboards/user-one")
	b.client().do("GET", "/rest/user?application-name=Bare&db-type=AAD", jdoe...).golden("dashboards/user-none")
	for _, p := range []string{"/rest/user/", "/rest/"} {
		b.client().do("GET", p+"login", jdoe...).golden("dashboards/user")
		b.client().do("GET", p+"ping", jdoe...).golden("dashboards/ping").says(`"pong"`)
		b.client().do("GET", p+"logout").golden("dashboards/logout")
		b.client().do("GET", p+"logout", jdoe...).golden("dashboards/logout")
		b.client().do("HEAD", p+"login", jdoe...).golden("dashboards/head")
		b.client().do("HEAD", p+"logout", jdoe...).golden("dashboards/head")
		b.client().do("POST", p+"login", jdoe...).want(405)
	}
	b.client().do("GET", "/rest/user/admin-role", jdoe...).golden("dashboards/admin-role")
	b.client().do("PUT", "/rest/user/admin-role", jdoe...).golden("dashboards/conflict")
	b.client().do("PUT", "/rest/user/admin-role", admin...).golden("dashboards/forbidden")
	b.client().do("PUT", "/rest/user/admin-role").golden("dashboards/unauthorized")
	b.client().do("GET", "/rest/nothing", jdoe...).golden("dashboards/not-found")
	b.client().do("DELETE", "/rest/user", jdoe...).golden("dashboards/method-not-allowed")
	b.client().do("GET", "/rest/user?db-type=AAD", jdoe...).golden("dashboards/bad-request")
	for _, p := range []string{"", "/", "/server", "/user", "/user/login", "/user/ping", "/login", "/ping", "/user/admin-role", "/nothing"} {
		b.client().do("GET", "/rest"+p).golden("dashboards/unauthorized")
		if a := b.client().do("GET", "/rest"+p, "Authorization", basic("jdoe", "wrong")).want(401); len(a.header["Set-Cookie"]) != 0 {
			t.Errorf("%s: a cookie before authentication", p)
		}
		b.client().do("GET", "/rest"+p, append(jdoe, "Accept", "text/csv")...).want(map[bool]int{true: 404, false: 200}[p == "/nothing"])
	}
	for _, method := range []string{"POST", "PUT", "PATCH", "OPTIONS"} {
		b.client().do(method, "/rest/user", jdoe...).want(405)
	}
	b.client().do("HEAD", "/rest/user", jdoe...).want(200)
}

// TestDashboardsMembers holds the two examples of the documentation by their members.
func TestDashboardsMembers(t *testing.T) {
	b := newBed(t, onlyDashboards)
	b.person("admin", idbridge.Admin)
	b.applications()
	auth := []string{"Authorization", basic("admin", "pw-admin")}
	members := func(m map[string]any) string {
		names := make([]string, 0, len(m))
		for name := range m {
			names = append(names, name)
		}
		slices.Sort(names)
		return strings.Join(names, " ")
	}
	bare := b.client().do("GET", "/rest/user", auth...).json()
	if got := members(bare); got != "administrator contextUuid href name superConsumer" {
		t.Error(got)
	}
	full := b.client().do("GET", "/rest/user?application-name=Dream+Team&db-type=AAD", auth...).json()
	if got := members(full); got != "administrator contextUuid href name superConsumer userApplicationDetail" {
		t.Error(got)
	}
	one := full["userApplicationDetail"].([]any)[0].(map[string]any)
	if got := members(one); got != "applicationDetail applicationRoles" {
		t.Error(got)
	}
	if got := members(one["applicationDetail"].(map[string]any)); got != "adgDatabase href latestSnapshotDate name nbOfAuthorizedSnapshots" {
		t.Error(got)
	}
	if got := members(one["applicationRoles"].(map[string]any)); got != "codeRestricted exclusionManager qualityAutomationManager qualityManager" {
		t.Error(got)
	}
}

func TestDashboardsParameters(t *testing.T) {
	b := newBed(t, onlyDashboards)
	b.person("jdoe")
	b.person("super", idbridge.SuperConsumer)
	b.applications()
	b.grant("jdoe", "CODE_RESTRICTED", "Dream Team")
	c, s := b.client(), b.client()
	c.do("GET", "/rest/user", "Authorization", basic("jdoe", "pw-jdoe")).want(200)
	s.do("GET", "/rest/user", "Authorization", basic("super", "pw-super")).want(200)
	for query, want := range map[string]int{ // the number of applications; -1 for no such member, -400 for a refusal
		"": -1, "?": -1, "?other=1": -1,
		"?application-name=$all&db-type=AAD": 1, "?application-name=%24all&db-type=AAD": 1, "?db-type=AAD&application-name=$all&x=y": 1,
		"?application-name=$all&db-type=ADG": 0, "?application-name=Bare&db-type=AAD": 0, "?application-name=Dream%20Team&db-type=ADG": 0,
		"?application-name=dream%20team&db-type=AAD": 0, "?application-name=&db-type=AAD": 0, "?application-name=Dream+Team&db-type=AAD": 1,
		"?application-name=$all": -400, "?db-type=AAD": -400, "?application-name=$all&db-type=aad": -400, "?application-name=$all&db-type=": -400,
		"?application-name=$all&db-type=AAD&db-type=AAD": -400, "?application-name=a&application-name=b&db-type=AAD": -400,
		"?application-name=%zz&db-type=AAD": -400, "?application-name=a;b&db-type=AAD": -400,
	} {
		a := c.do("GET", "/rest/user"+query)
		if want == -400 {
			a.want(400).says(`{"error":"bad_request"}`)
			continue
		}
		list, there := a.want(200).json()["userApplicationDetail"].([]any)
		if there != (want >= 0) || there && len(list) != want {
			t.Errorf("%q: %s", query, a.body)
		}
	}
	if list := s.do("GET", "/rest/user?application-name=$all&db-type=AAD").json()["userApplicationDetail"].([]any); len(list) != 2 {
		t.Errorf("a super consumer sees %v", list)
	}
	// What changes shows on the next request, not after the next login.
	b.grant("jdoe", "QUALITY_MANAGER", "Bare")
	if list := c.do("GET", "/rest/user?application-name=$all&db-type=AAD").json()["userApplicationDetail"].([]any); len(list) != 2 {
		t.Errorf("%v", list)
	}
	b.grant("jdoe", "EXCLUSION_MANAGER", "")
	a := c.do("GET", "/rest/user?application-name=$all&db-type=ADG")
	if list := a.json()["userApplicationDetail"].([]any); len(list) != 1 || !strings.Contains(a.body, `"exclusionManager":true`) {
		t.Errorf("%s", a.body)
	}
	b.grant("jdoe", idbridge.Admin, "")
	if m := c.do("GET", "/rest/user").json(); m["administrator"] != true || m["superConsumer"] != true {
		t.Errorf("%v", m)
	}
	b.person("other", idbridge.Admin)
	b.revoke("jdoe", idbridge.Admin)
	if m := c.do("GET", "/rest/user").json(); m["administrator"] != false || m["superConsumer"] != false {
		t.Errorf("%v", m)
	}
}

// TestDashboardsClient is a client as they are: Basic once, then the cookie alone.
func TestDashboardsClient(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		b := newBed(t, onlyDashboards, func(s *setup) {
			s.url = url
			s.dashboards.Prefixes = []string{"/CAST-RESTAPI/rest", "/rest"}
		})
		b.person("jdoé")
		b.setPassword("jdoé", "pä:ss wörd:")
		auth := []string{"Authorization", basic("jdoé", "pä:ss wörd:")}
		for _, prefix := range []string{"/CAST-RESTAPI/rest", "/rest"} {
			c := b.client()
			c.do("GET", prefix+"/", auth...).want(200).list()
			m := c.do("GET", prefix+"/user").want(200).json()
			again := c.do("GET", prefix+"/user").want(200)
			if m["name"] != "jdoé" || again.json()["contextUuid"] != m["contextUuid"] || len(again.header["Set-Cookie"]) != 0 {
				t.Errorf("%v %s", m, again.body)
			}
			c.do("GET", prefix+"/user/ping").want(200).says(`"pong"`)
			c.do("GET", prefix+"/user/login").want(401) // the cookie alone is no login
			before := c.cookie("idbridge_rest")
			login := c.do("GET", prefix+"/user/login", auth...).want(200).json()
			if login["contextUuid"] == m["contextUuid"] || c.cookie("idbridge_rest") == before {
				t.Error("the login did not renew the session")
			}
			b.client().do("GET", prefix+"/ping", "Cookie", "idbridge_rest="+before).want(401) // replaced
			last := c.cookie("idbridge_rest")
			c.do("GET", prefix+"/user/logout").want(401).says(`{"error":"unauthorized"}`)
			if c.cookie("idbridge_rest") != "" || c.cookie("XSRF-TOKEN") != "" {
				t.Error("the cookies outlive the logout")
			}
			b.client().do("GET", prefix+"/ping", "Cookie", "idbridge_rest="+last).want(401)
		}
	})
}

// TestDashboardsWays is auth mode × route.
func TestDashboardsWays(t *testing.T) {
	b := newBed(t, onlyDashboards)
	b.person("jdoe")
	key := b.keys["jdoe"].Dotted()
	for name, way := range map[string][]string{
		"basic": {"Authorization", basic("jdoe", "pw-jdoe")}, "key": {"X-API-KEY", key}, "key and user": {"X-API-KEY", key, "X-API-USER", "somebody"},
		"both": {"Authorization", basic("jdoe", key), "X-API-KEY", key}, "basic with a key": {"Authorization", basic("JDOE", key)},
		"other case": {"authorization", "bAsIc " + strings.TrimPrefix(basic("jdoe", "pw-jdoe"), "Basic ")},
	} {
		for _, p := range []string{"/rest/login", "/rest/user/login", "/rest/ping", "/rest/user/ping", "/rest/user"} {
			a := b.client().do("GET", p, way...)
			if a.status != 200 || !slices.Equal(a.setsCookies(), []string{"XSRF-TOKEN", "idbridge_rest"}) {
				t.Errorf("%s %s: %d %v", name, p, a.status, a.setsCookies())
			}
		}
		for _, p := range []string{"/rest/logout", "/rest/user/logout"} {
			c := b.client()
			c.do("GET", "/rest/ping", way...).want(200)
			if a := c.do("GET", p, way...).want(401); len(a.setsCookies()) != 0 || a.header["Www-Authenticate"][0] != `Basic realm="idbridge", charset="UTF-8"` {
				t.Errorf("%s %s: %v", name, p, a.header)
			}
			c.do("GET", "/rest/ping").want(401)
		}
	}
	for _, header := range []string{"Digest abc", "Bearer " + key, "Basic", "Basic !!!", "Basic " + "amRvZQ==", basic("jdoe", ""), basic("", "pw-jdoe")} {
		if a := b.client().do("GET", "/rest/user/login", "Authorization", header).want(401); len(a.header["Set-Cookie"]) != 0 {
			t.Errorf("%q: cookies", header)
		}
	}
}

func TestDashboardsAPIUser(t *testing.T) {
	b := newBed(t, onlyDashboards, func(s *setup) { s.dashboards.APIUser = credential.EnforceAPIUser })
	b.person("jdoe")
	key := b.keys["jdoe"].Dotted()
	b.client().do("GET", "/rest/user", "X-API-KEY", key).want(200)
	b.client().do("GET", "/rest/user", "X-API-KEY", key, "X-API-USER", "JDoe").want(200)
	b.client().do("GET", "/rest/user", "X-API-KEY", key, "X-API-USER", "bob").want(401)
}

func TestDashboardsFixation(t *testing.T) {
	b := newBed(t, onlyDashboards)
	b.person("jdoe")
	invented := strings.Repeat("A", 43) // as long as a real id
	for _, cookie := range []string{invented, "x", ""} {
		b.client().do("GET", "/rest/user", "Cookie", "idbridge_rest="+cookie).want(401)
		c := b.client()
		a := c.do("GET", "/rest/user", "Cookie", "idbridge_rest="+cookie, "Authorization", basic("jdoe", "pw-jdoe")).want(200)
		if got := c.cookie("idbridge_rest"); got == "" || got == cookie || len(a.setsCookies()) != 2 {
			t.Errorf("the session is %q", got)
		}
		b.client().do("GET", "/rest/user", "Cookie", "idbridge_rest="+cookie).want(401)
	}
	b.client().do("GET", "/rest/user", "Cookie", "idbridge_rest=a; idbridge_rest=b").want(400)
}

func TestDashboardsOtherSites(t *testing.T) {
	b := newBed(t, onlyDashboards)
	b.person("jdoe")
	c := b.client()
	auth := []string{"Authorization", basic("jdoe", "pw-jdoe")}
	c.do("GET", "/rest/user", auth...).want(200)
	for _, site := range []string{"cross-site", "same-site"} {
		for _, p := range []string{"/rest/login", "/rest/user/login", "/rest/logout", "/rest/user/logout"} {
			a := c.do("GET", p, append(auth, "Sec-Fetch-Site", site)...).want(403).says(`{"error":"forbidden"}`)
			if len(a.header["Set-Cookie"]) != 0 {
				t.Errorf("%s %s: cookies", site, p)
			}
		}
		c.do("PUT", "/rest/user/admin-role", "Sec-Fetch-Site", site).want(403)
	}
	c.do("PUT", "/rest/user/admin-role", "Origin", "https://evil.example").want(403)
	c.do("GET", "/rest/ping").want(200) // nobody logged him out
	for _, site := range []string{"same-origin", "none"} {
		c.do("GET", "/rest/login", append(auth, "Sec-Fetch-Site", site)...).want(200)
		c.do("GET", "/rest/logout", "Sec-Fetch-Site", site).want(401)
	}
}

func TestDashboardsKeysBringNoAdmin(t *testing.T) {
	for mode, want := range map[string]bool{dashboards.ModeSAML: false, dashboards.ModeLDAP: true} {
		b := newBed(t, onlyDashboards, func(s *setup) { s.dashboards.SecurityMode = mode })
		b.person("root", idbridge.Admin)
		c := b.client()
		if m := c.do("GET", "/rest/user", "X-API-KEY", b.keys["root"].Dotted()).want(200).json(); m["administrator"] != want || m["superConsumer"] != want {
			t.Errorf("%s: %v", mode, m)
		}
		if m := c.do("GET", "/rest/user").want(200).json(); m["administrator"] != want { // the session is the key's, no more
			t.Errorf("%s: %v", mode, m)
		}
		if m := b.client().do("GET", "/rest/user", "Authorization", basic("root", "pw-root")).want(200).json(); m["administrator"] != true {
			t.Errorf("%s: %v", mode, m)
		}
		narrow := b.newKey("root", "keys.verify")
		if m := b.client().do("GET", "/rest/user", "X-API-KEY", narrow.Dotted()).want(200).json(); m["administrator"] != false {
			t.Errorf("%s: %v", mode, m)
		}
	}
}

func TestDashboardsFailures(t *testing.T) {
	b := newBed(t, onlyDashboards, func(s *setup) { s.credential.Limits = credential.Limits{PerAddress: 3} })
	b.person("jdoe")
	c := b.client()
	c.do("GET", "/rest/user", "Authorization", basic("jdoe", "pw-jdoe")).want(200)
	for range 3 {
		c := b.client()
		c.do("GET", "/rest/user/login", "Authorization", basic("jdoe", "wrong")).want(401)
	}
	a := b.client().do("GET", "/rest/user/login", "Authorization", basic("jdoe", "wrong")).want(429).says(`{"error":"too_many_requests"}`)
	if a.header.Get("Retry-After") == "" || a.header.Get("RateLimit") == "" || a.header.Get("Content-Type") != "application/json" {
		t.Errorf("%v", a.header)
	}
	c.do("GET", "/rest/user").want(200)                                               // the session is not touched
	b.client().do("GET", "/rest/user", "X-API-KEY", b.keys["jdoe"].Plain()).want(200) // nor is a good key
	if !b.audited("signin.refused", "refused", "wrong password") {
		t.Error("no true reason in the audit")
	}
	b.close()
	for _, p := range []string{"/rest/user?application-name=$all&db-type=AAD", "/rest/user/login"} {
		if a := b.client().do("GET", p, "X-API-KEY", b.keys["jdoe"].Plain()); a.status < 500 || a.body != `{"error":"unavailable"}` {
			t.Errorf("%d %s", a.status, a.body)
		}
	}
	if a := c.do("GET", "/rest/logout"); a.status < 500 || len(a.header["Set-Cookie"]) != 0 || c.cookie("idbridge_rest") == "" {
		t.Errorf("a logout that was none: %d %v", a.status, a.header)
	}
}

func TestDashboardsConfig(t *testing.T) {
	b := newBed(t)
	resolver := credential.New(credential.Config{Store: b.store})
	for name, change := range map[string]func(*dashboards.Config){
		"no store": func(c *dashboards.Config) { c.Store = nil }, "no resolver": func(c *dashboards.Config) { c.Resolver = nil },
		"prefix": func(c *dashboards.Config) { c.Prefixes = []string{"rest"} }, "root": func(c *dashboards.Config) { c.Prefixes = []string{"/"} },
		"slash": func(c *dashboards.Config) { c.Prefixes = []string{"/rest/"} }, "wild": func(c *dashboards.Config) { c.Prefixes = []string{"/{x}"} },
		"native": func(c *dashboards.Config) { c.Prefixes = []string{"/api/v1"} }, "twice": func(c *dashboards.Config) { c.Prefixes = []string{"/rest", "/rest"} },
		"mode": func(c *dashboards.Config) { c.SecurityMode = "SAML" }, "user": func(c *dashboards.Config) { c.APIUser = "x" },
		"place": func(c *dashboards.Config) { c.AdminBootstrap = "here" }, "anywhere": func(c *dashboards.Config) { c.AdminBootstrap = dashboards.BootstrapAnywhere },
	} {
		c := dashboards.Config{Store: b.store, Resolver: resolver}
		if _, err := dashboards.New(c); err != nil {
			t.Fatal(err)
		}
		change(&c)
		if _, err := dashboards.New(c); idbridge.KindOf(err) != idbridge.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestBothOfThem: with imaging on, too, GET /rest is the array, and all else of imaging is there.
func TestBothOfThem(t *testing.T) {
	b := newBed(t)
	b.person("jdoe")
	key := []string{"X-API-KEY", b.keys["jdoe"].Dotted()}
	for _, p := range []string{"/rest", "/rest/"} {
		b.client().do("GET", p, key...).want(200).says("[]")
	}
	b.client().do("GET", "/rest/ready", key...).want(200)
	b.client().do("GET", "/rest/user", key...).want(200)
	b.client().do("GET", "/rest/other", key...).want(404)
	b.client().do("GET", "/api/user", key...).want(200)
	c := b.client()
	c.do("GET", "/api/user", key...).want(200)
	c.do("GET", "/rest/user").want(200) // one session for both
	if a := b.client().do("HEAD", "/rest/user/logout"); a.status != http.StatusMethodNotAllowed {
		t.Errorf("%d", a.status)
	}
}
