package rest_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/httpapi/dashboards"
)

// from sends a request as if it came from a peer.
func (b *bed) from(peer, method, path string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "http://localhost:8080"+path, nil)
	r.RemoteAddr = peer
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			r.Host = headers[i+1]
			continue
		}
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	b.handler.ServeHTTP(w, r)
	return w
}

// TestBootstrapMatrix is peer × header × who is administrator already.
func TestBootstrapMatrix(t *testing.T) {
	peers := map[string]bool{"127.0.0.1:1": true, "127.9.9.9:1": true, "[::1]:1": true, "[::ffff:127.0.0.1]:1": true, "192.0.2.1:1": false, "[2001:db8::1]:1": false, "[::ffff:192.0.2.1]:1": false}
	headers := map[string][]string{
		"": nil, "XFF": {"X-Forwarded-For", "127.0.0.1"}, "Forwarded": {"Forwarded", "for=127.0.0.1"}, "X-Real-IP": {"X-Real-IP", "127.0.0.1"}, "Via": {"Via", "1.1 x"},
		"X-Forwarded-Host": {"X-Forwarded-Host", "localhost"}, "foreign Host": {"Host", "evil.example"}, "rebound Host": {"Host", "127.0.0.1.evil.example:80"},
	}
	for admins, locally := range map[string]int{"none": 200, "suspended": 200, "another": 409, "himself": 200} {
		b := newBed(t, onlyDashboards)
		b.person("jdoe")
		b.person("other")
		switch admins {
		case "suspended":
			b.suspend("other", true)
			b.grant("other", idbridge.Admin, "")
		case "another":
			b.grant("other", idbridge.Admin, "")
		case "himself":
			b.grant("jdoe", idbridge.Admin, "")
		}
		session := b.from("127.0.0.1:1", "GET", "/rest/user", "Authorization", basic("jdoe", "pw-jdoe")).Result().Cookies()
		cookie := []string{"Cookie", session[0].String()}
		for name, h := range headers {
			for peer, local := range peers {
				if name == "" && local { // the one that changes something comes last
					continue
				}
				if w := b.from(peer, "PUT", "/rest/user/admin-role", append(cookie, h...)...); w.Code != 403 || w.Body.String() != `{"error":"forbidden"}` {
					t.Errorf("%s %s %s: %d %s", admins, name, peer, w.Code, w.Body)
				}
			}
		}
		for _, host := range []string{"localhost", "LOCALHOST:8080", "127.0.0.1", "127.0.0.1:8080", "[::1]:8080", "[::1]"} {
			w := b.from("127.0.0.1:1", "PUT", "/rest/user/admin-role", append(cookie, "Host", host)...)
			if w.Code != locally {
				t.Errorf("%s %s: %d %s", admins, host, w.Code, w.Body)
			}
			if set := w.Result().Cookies(); len(set) > 0 { // a new id with the new right
				if cookie[1] = set[0].Name + "=" + set[0].Value; admins == "himself" {
					t.Error("a new session for nothing")
				}
			}
		}
		for peer, local := range peers {
			if w := b.from(peer, "PUT", "/rest/user/admin-role", cookie...); local && w.Code != locally || !local && w.Code != 403 {
				t.Errorf("%s %s: %d", admins, peer, w.Code)
			}
		}
	}
}

func TestBootstrapModes(t *testing.T) {
	for _, c := range []struct {
		mode, place string
		proxy       bool
		local, far  int
	}{
		{dashboards.ModeDefault, "", false, 200, 403},
		{dashboards.ModeLDAP, "", false, 200, 403},
		{dashboards.ModeSAML, "", false, 200, 403},
		{dashboards.ModeSAML, dashboards.BootstrapAnywhere, false, 200, 200},
		{dashboards.ModeIntegrated, "", false, 403, 403},
		{dashboards.ModeDefault, dashboards.BootstrapOff, false, 403, 403},
		{dashboards.ModeDefault, "", true, 403, 403},
		{dashboards.ModeDefault, dashboards.BootstrapLoopback, true, 200, 403},
	} {
		b := newBed(t, onlyDashboards, func(s *setup) {
			s.dashboards.SecurityMode, s.dashboards.AdminBootstrap, s.dashboards.BehindProxy = c.mode, c.place, c.proxy
		})
		b.person("jdoe")
		auth := []string{"Authorization", basic("jdoe", "pw-jdoe")}
		if w := b.from("192.0.2.1:1", "PUT", "/rest/user/admin-role", auth...); w.Code != c.far {
			t.Errorf("%+v far: %d", c, w.Code)
		}
		if w := b.from("127.0.0.1:1", "PUT", "/rest/user/admin-role", auth...); w.Code != c.local {
			t.Errorf("%+v: %d", c, w.Code)
		}
		if (c.local == 403) != b.audited("admin.bootstrap", "refused", "") && c.far == 200 {
			t.Errorf("%+v: audit", c)
		}
	}
}

func TestBootstrapIsNotForKeys(t *testing.T) {
	b := newBed(t, onlyDashboards)
	b.person("jdoe")
	c := b.client()
	c.do("PUT", "/rest/user/admin-role", "X-API-KEY", b.keys["jdoe"].Dotted()).want(403)
	c.do("PUT", "/rest/user/admin-role", "Authorization", basic("jdoe", b.keys["jdoe"].Dotted())).want(403)
	c.do("GET", "/rest/user", "X-API-KEY", b.keys["jdoe"].Dotted()).want(200)
	c.do("PUT", "/rest/user/admin-role").want(403) // a session that a key began
	c.do("PUT", "/rest/user/admin-role", "Authorization", basic("jdoe", "pw-jdoe"), "X-API-KEY", b.keys["jdoe"].Dotted()).want(403)
	if !b.audited("admin.bootstrap", "refused", "a key makes no administrator") {
		t.Error("no row in the audit")
	}
	d := b.client()
	d.do("GET", "/rest/user", "Authorization", basic("jdoe", "pw-jdoe")).want(200)
	before := d.cookie("idbridge_rest")
	d.do("GET", "/rest/user/admin-role").want(200).says(`{"href":"user/admin-role","exists":false,"securityMode":"default"}`)
	a := d.do("PUT", "/rest/user/admin-role").golden("dashboards/admin-role-granted")
	if !slices.Equal(a.setsCookies(), []string{"XSRF-TOKEN", "idbridge_rest"}) || d.cookie("idbridge_rest") == before {
		t.Error("the session has its old id")
	}
	b.client().do("GET", "/rest/user", "Cookie", "idbridge_rest="+before).want(401)
	if m := d.do("GET", "/rest/user").want(200).json(); m["administrator"] != true {
		t.Errorf("%v", m)
	}
	if !b.audited("admin.bootstrap", "", "ADMIN") && !b.audited("admin.bootstrap", "ok", "") {
		t.Error("no row in the audit")
	}
}

func TestFiftyWantToBeFirst(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		b := newBed(t, onlyDashboards, func(s *setup) { s.url = url })
		var clients []*client
		for i := range 50 {
			name := fmt.Sprintf("u%d", i)
			b.person(name)
			c := b.client()
			c.do("GET", "/rest/ping", "Authorization", basic(name, "pw-"+name)).want(200)
			clients = append(clients, c)
		}
		codes := make([]int, len(clients))
		var all sync.WaitGroup
		for i, c := range clients {
			all.Go(func() { codes[i] = c.do("PUT", "/rest/user/admin-role").status })
		}
		all.Wait()
		won, lost := 0, 0
		for _, code := range codes {
			switch code {
			case http.StatusOK:
				won++
			case http.StatusConflict:
				lost++
			}
		}
		if won != 1 || lost != len(clients)-1 {
			t.Errorf("%v", codes)
		}
	})
}
