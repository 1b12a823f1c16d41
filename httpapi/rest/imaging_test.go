package rest_test

import (
	"bufio"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/idbridge/idbridge"
)

func onlyImaging(s *setup) { s.facades = []string{"imaging"} }

func TestImagingShapes(t *testing.T) {
	b := newBed(t, onlyImaging)
	b.person("jdoe", "VIEWER", idbridge.APIKeyGeneration)
	b.person("root", idbridge.Admin)
	key := []string{"X-API-KEY", b.keys["jdoe"].Dotted()}
	b.client().do("GET", "/rest", key...).golden("imaging/root")
	b.client().do("GET", "/rest/", key...).golden("imaging/root")
	b.client().do("GET", "/rest/ready", key...).golden("imaging/ready")
	b.client().do("GET", "/api/user", key...).golden("imaging/user")
	b.client().do("GET", "/api/user", "X-API-KEY", b.keys["root"].Plain()).golden("imaging/user-admin")
	b.client().do("GET", "/api", key...).golden("imaging/api")
	b.client().do("GET", "/api/", key...).golden("imaging/api")
	b.client().do("GET", "/rest/whatever/else", key...).golden("imaging/not-found")
	b.client().do("GET", "/rest/ready/", key...).want(404)
	b.client().do("POST", "/rest", append(key, "Content-Type", "application/json")...).golden("imaging/method-not-allowed")
	b.client().do("POST", "/api/user", append(key, "Content-Type", "application/json")...).golden("imaging/method-not-allowed")
	for _, path := range []string{"/rest", "/rest/", "/rest/ready", "/rest/whatever", "/api/user", "/api", "/api/"} {
		b.client().do("GET", path).golden("imaging/unauthorized")
		b.client().do("GET", path, "X-API-KEY", "nonsense").golden("imaging/unauthorized")
	}
	b.client().do("GET", "/rest", append(key, "Authorization", basic("root", "pw-root"))...).golden("imaging/bad-request")
	for _, path := range []string{"/rest//x", "/rest/../api/user", "/api//user"} {
		b.client().do("GET", path, key...).want(404)
	}
	b.client().do("HEAD", "/rest", key...).want(200)
	b.client().do("GET", "/api/v1/nothing", key...).want(404)
}

// TestImagingLiteral types the documented requests as they stand.
func TestImagingLiteral(t *testing.T) {
	b := newBed(t, onlyImaging)
	b.person("jdoe")
	imported, ok := idbridge.ParseKeyText("06935MrA.0123456789abcdefghijABCDEFGHIJ01")
	if !ok {
		t.Fatal("not a key")
	}
	b.adoptKey("jdoe", imported)
	host := strings.TrimPrefix(b.url, "http://")
	for _, header := range []string{
		"X-API-KEY: 06935MrA.0123456789abcdefghijABCDEFGHIJ01", // curl -H "X-API-KEY: …" http://host/rest
		"x-api-key: 06935MrA.0123456789abcdefghijABCDEFGHIJ01",
		"X-Api-kEy:06935MrA.0123456789abcdefghijABCDEFGHIJ01",
		"X-API-KEY: 06935MrA.0123456789abcdefghijABCDEFGHIJ01\r\nX-TENANT-ID: default\r\nX-Client: imaging\r\nAccept-Language: fr",
	} {
		conn, err := net.Dial("tcp", host)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Write([]byte("GET /rest HTTP/1.1\r\nHost: " + host + "\r\nUser-Agent: curl/8.5.0\r\nAccept: */*\r\n" + header + "\r\n\r\n")); err != nil {
			t.Fatal(err)
		}
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		_ = conn.Close()
		if res.StatusCode != 200 {
			t.Errorf("%q: %d", header, res.StatusCode)
		}
	}
}

func TestImagingSession(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		b := newBed(t, onlyImaging, func(s *setup) { s.url = url })
		b.person("jdoe")
		b.person("bob")
		key := []string{"X-API-KEY", b.keys["jdoe"].Dotted()}
		c := b.client()
		first := c.do("GET", "/api/user", key...).want(200)
		if got := first.setsCookies(); !slices.Equal(got, []string{"XSRF-TOKEN", "idbridge_rest"}) {
			t.Fatalf("cookies %v", got)
		}
		again := c.do("GET", "/rest", key...).want(200) // key and cookie together, the same user
		if len(again.header["Set-Cookie"]) != 0 {
			t.Error("a second session")
		}
		c.do("GET", "/rest").want(200) // the cookie alone
		echo := c.cookie("XSRF-TOKEN")
		if echo == "" || echo == c.cookie("idbridge_rest") {
			t.Fatalf("echo %q", echo)
		}
		c.do("GET", "/api/user", "X-XSRF-TOKEN", echo).want(200)
		c.do("GET", "/api/user", append(key, "X-XSRF-TOKEN", echo)...).want(200)
		c.do("GET", "/api/user", append(key, "X-XSRF-TOKEN", "wrong")...).golden("imaging/forbidden")
		c.do("GET", "/api/user", "X-XSRF-TOKEN", echo, "X-Xsrf-Token", echo).want(403)
		c.do("GET", "/rest", "X-API-KEY", b.keys["bob"].Native()).want(400) // bob's key, jdoe's cookie
		b.suspend("jdoe", true)
		c.do("GET", "/rest").want(401)
		c.do("GET", "/rest", key...).want(401)
		b.suspend("jdoe", false)
		c.do("GET", "/rest").want(401) // his sessions ended with the suspension
		c.do("GET", "/rest", key...).want(200)
		old := c.cookie("idbridge_rest")
		b.newKey("jdoe")
		c.do("GET", "/rest", key...).want(401)                                                     // a new key kills the old one at once
		b.client().do("GET", "/rest", "Cookie", "idbridge_rest="+old).want(401)                    // and what it began
		b.client().do("GET", "/rest", "X-API-KEY", b.keys["jdoe"].Native()).want(200)              //
		b.client().do("GET", "/rest", "Authorization", basic("jdoe", "pw-jdoe")).want(200)         //
		b.client().do("GET", "/rest", "Authorization", basic("jdoe", "pw-bob")).want(401)          //
		b.client().do("GET", "/rest", "Authorization", "Bearer "+b.keys["bob"].Dotted()).want(401) // not a carrier here
		if !b.audited("signin.refused", "refused", "") {
			t.Error("no refusal in the audit")
		}
	})
}

func TestScriptsWithoutCookiesPushNobodyOut(t *testing.T) {
	b := newBed(t, onlyImaging)
	b.person("jdoe")
	key := []string{"X-API-KEY", b.keys["jdoe"].Dotted()}
	c := b.client()
	c.do("GET", "/rest", key...).want(200)
	sessions := 0
	for range 80 {
		if len(b.client().do("GET", "/rest", key...).want(200).setsCookies()) > 0 {
			sessions++
		}
	}
	if sessions == 0 || sessions >= idbridge.SessionsMost {
		t.Errorf("%d sessions", sessions)
	}
	c.do("GET", "/rest").want(200) // the first one is still there
}

func TestImagingWithAKeyOfOneScope(t *testing.T) {
	b := newBed(t, onlyImaging)
	b.person("root", idbridge.Admin)
	key := b.newKey("root", "keys.verify")
	m := b.client().do("GET", "/api/user", "X-API-KEY", key.Dotted()).want(200).json()
	if m["administrator"] != false || len(m["roles"].([]any)) != 0 {
		t.Errorf("%v", m)
	}
}

func TestImagingStoreDown(t *testing.T) {
	b := newBed(t, onlyImaging)
	b.person("jdoe")
	c := b.client()
	c.do("GET", "/rest/ready", "X-API-KEY", b.keys["jdoe"].Dotted()).want(200)
	b.close()
	c.do("GET", "/rest/ready", "X-API-KEY", b.keys["jdoe"].Dotted()).golden("imaging/unavailable")
}
