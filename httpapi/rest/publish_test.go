package rest_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/idbridge/idbridge"
)

const target = "/api/v1/settings/publish-target"

func onlyPublish(s *setup) {
	s.facades = []string{"publish"}
	s.publish.AllowLoopback = true
}

// object writes a JSON object of texts.
func object(t testing.TB, pairs ...string) string {
	t.Helper()
	m := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i]] = pairs[i+1]
	}
	b, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func port(t testing.TB, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return u.Port()
}

func TestPublishVerify(t *testing.T) {
	b := newBed(t, onlyPublish)
	b.person("jdoe", idbridge.Admin)
	b.person("bob")
	good, poor := b.keys["jdoe"], b.keys["bob"]
	const verify = "/api/v1/publish/verify"
	for _, key := range []string{good.Native(), good.Dotted(), good.Plain()} {
		b.client().do("POST", verify, "X-API-KEY", key).golden("publish/verified").says(`{"status":"success","user":"jdoe","admin":true}`)
		b.client().send("POST", verify, `{"any":"thing"}`, "Authorization", "Bearer "+key, "Content-Type", "application/json").golden("publish/verified")
	}
	for _, headers := range [][]string{
		nil, {"X-API-KEY", poor.Dotted()}, {"Authorization", "Bearer " + poor.Dotted()}, {"X-API-KEY", "nonsense"}, {"X-API-KEY", ""},
		{"Authorization", basic("jdoe", "pw-jdoe")}, {"X-API-KEY", good.Plain()[:39]}, {"Authorization", "Bearer"},
	} {
		b.client().do("POST", verify, headers...).golden("publish/forbidden").says(`{"error":"forbidden"}`)
	}
	b.client().do("POST", verify, "X-API-KEY", good.Dotted(), "Authorization", "Bearer "+poor.Dotted()).want(400)
	b.client().do("GET", verify, "X-API-KEY", good.Dotted()).golden("publish/method-not-allowed")
	b.client().do("POST", verify+"/more", "X-API-KEY", good.Dotted()).golden("publish/not-found")
	narrow := b.newKey("jdoe", "keys.verify")
	b.client().do("POST", verify, "X-API-KEY", good.Dotted()).want(403)
	b.client().do("POST", verify, "X-API-KEY", narrow.Dotted()).want(403)
	if !b.audited("signin.refused", "refused", "not a key") {
		t.Error("no true reason in the audit")
	}
	b.client().do("GET", "/api/user", "X-API-KEY", poor.Dotted()).want(200)
	b.client().do("GET", "/api/", "X-API-KEY", poor.Dotted()).want(200)
	b.client().do("GET", "/api/user").want(401)
}

// TestPublishOneToAnother: one of us is the console, another one the target.
func TestPublishOneToAnother(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		to := newBed(t, onlyPublish)
		to.person("publisher", idbridge.Admin)
		to.person("nobody")
		b := newBed(t, onlyPublish, func(s *setup) { s.url = url })
		b.person("root", idbridge.Admin)
		auth := []string{"Authorization", basic("root", "pw-root"), "Content-Type", "application/json"}
		c := b.client()
		c.do("GET", target, auth...).golden("publish/settings-none")
		c.do("POST", target+"/test", auth...).golden("publish/settings-none")
		key := to.keys["publisher"].Dotted()
		c.send("PUT", target, object(t, "url", to.url, "apiKey", key), auth...).golden("publish/saved-key")
		c.do("GET", target, auth...).golden("publish/settings-key")
		last4 := c.do("GET", target, auth...).json()["apiKeyLast4"]
		if last4 != key[len(key)-4:] {
			t.Errorf("last4 %v", last4)
		}
		c.do("POST", target+"/test", auth...).golden("publish/test-success").says(`{"result":"success"}`)
		// A failed save keeps what was there.
		c.send("PUT", target, object(t, "url", to.url, "apiKey", to.keys["nobody"].Dotted()), auth...).golden("publish/failure").
			want(422).says(`{"result":"failure","reason":"not-admin"}`)
		c.send("PUT", target, object(t, "url", to.url, "apiKey", "06935MrA.wrong"), auth...).want(422).says(`{"result":"failure","reason":"unauthorized"}`)
		if c.do("GET", target, auth...).json()["apiKeyLast4"] != last4 {
			t.Error("a failed save did not keep the old target")
		}
		c.send("POST", target+"/test", object(t, "url", to.url, "apiKey", "06935MrA.wrong"), auth...).want(200).says(`{"result":"failure","reason":"unauthorized"}`)
		c.send("PUT", target+"?force=true", object(t, "url", to.url, "apiKey", to.keys["nobody"].Dotted()), auth...).golden("publish/saved-forced")
		c.do("GET", target, auth...).golden("publish/settings-forced")
		// The other form replaces it: there is exactly one target.
		body := `{"url":"` + to.url + `/","username":"publisher","password":"pw-publisher","etlPort":` + port(t, to.url) + `,"etlToken":"` + key + `","unknown":{}}`
		c.send("PUT", target, body, auth...).want(200)
		m := c.do("GET", target, auth...).want(200).json()
		if m["form"] != "password" || m["username"] != "publisher" || m["apiKeySet"] != false || m["apiKeyLast4"] != nil || m["passwordSet"] != true || m["etlTokenSet"] != true {
			t.Errorf("%v", m)
		}
		// What was good is tested anew.
		to.suspend("publisher", false)
		to.newKey("publisher")
		c.do("POST", target+"/test", auth...).want(200).says(`{"result":"failure","reason":"forbidden"}`)
		if !strings.Contains(b.log.String(), `403 Forbidden: {\"error\":\"forbidden\"}`) || !strings.Contains(b.log.String(), `"level":"ERROR"`) {
			t.Error("the failure is not in the log")
		}
		c.do("DELETE", target, auth...).golden("publish/deleted")
		c.do("GET", target, auth...).want(404)
		c.do("DELETE", target, auth...).want(204)
		for _, secret := range []string{key, key[9:], to.keys["nobody"].Dotted(), "pw-publisher"} {
			if strings.Contains(b.log.String(), secret) || strings.Contains(to.log.String(), secret) {
				t.Error("a secret is in the log")
			}
		}
		if !b.audited("setting.put", "", "") || !b.audited("setting.delete", "", "") {
			t.Error("the audit does not know of the settings")
		}
	})
}

func TestPublishSecretsStayInside(t *testing.T) {
	b := newBed(t, onlyPublish)
	b.person("root", idbridge.Admin)
	auth := []string{"Authorization", basic("root", "pw-root"), "Content-Type", "application/json"}
	echo := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, r.Header.Get("X-API-KEY")+r.Header.Get("Authorization"))
	}))
	t.Cleanup(echo.Close)
	c := b.client()
	var answers strings.Builder
	for _, body := range []string{
		object(t, "url", echo.URL, "apiKey", "PLANTED-KEY-1234567890"), `{"url":"` + echo.URL + `","username":"u","password":"PLANTED-PASSWORD","etlToken":"PLANTED-TOKEN"}`,
		`{"url":"` + echo.URL + `","apiKey":"PLANTED-KEY-1234567890","password":"PLANTED-PASSWORD"}`, `{"apiKey":"PLANTED-KEY-1234567890"`, `{"apiKey":["PLANTED-KEY-1234567890"]}`,
		`{"url":"http://u:PLANTED-PASSWORD@127.0.0.1/","apiKey":"PLANTED-KEY-1234567890"}`,
	} {
		for _, way := range [][2]string{{"PUT", target}, {"POST", target + "/test"}, {"PUT", target + "?force=true"}} {
			answers.WriteString(c.send(way[0], way[1], body, auth...).body)
		}
		answers.WriteString(c.do("GET", target, auth...).body)
	}
	if strings.Contains(answers.String(), "PLANTED") {
		t.Error("a secret came back: " + answers.String())
	}
	if strings.Contains(b.log.String(), "PLANTED") {
		t.Error("a secret is in the log")
	}
}

func TestPublishRefusals(t *testing.T) {
	b := newBed(t, onlyPublish)
	b.person("root", idbridge.Admin)
	b.person("bob")
	json := []string{"Content-Type", "application/json"}
	auth := append([]string{"Authorization", basic("root", "pw-root")}, json...)
	good := object(t, "url", "http://127.0.0.1:1", "apiKey", "x")
	c := b.client()
	for _, way := range [][2]string{{"GET", target}, {"PUT", target}, {"DELETE", target}, {"POST", target + "/test"}} {
		b.client().do(way[0], way[1]).golden("publish/problem-unauthenticated")
		b.client().do(way[0], way[1], "X-API-KEY", b.keys["bob"].Dotted()).golden("publish/problem-forbidden")
	}
	b.client().do("POST", target, auth...).golden("publish/problem-method-not-allowed")
	b.client().do("GET", target+"/other", auth...).golden("publish/problem-not-found")
	narrow := b.newKey("root", "keys.verify")
	b.client().do("GET", target, "X-API-KEY", narrow.Dotted()).want(403)
	scoped := b.newKey("root", "settings.admin")
	b.client().do("GET", target, "X-API-KEY", scoped.Dotted()).want(404)
	for body, want := range map[string]int{
		"": 400, "{": 400, "[]": 400, `{"url":"http://h","url":"http://h","apiKey":"x"}`: 400, `{"url":1,"apiKey":"x"}`: 400, `{"url":"http://h","apiKey":"x"} {}`: 400,
		"{}": 422, `{"url":"http://h"}`: 422, `{"url":"ftp://h","apiKey":"x"}`: 422, `{"url":"h","apiKey":"x"}`: 422, `{"url":"http://","apiKey":"x"}`: 422,
		`{"url":"file:///etc/passwd","apiKey":"x"}`: 422, `{"url":"http://u:p@h","apiKey":"x"}`: 422, `{"url":"http://h?x","apiKey":"x"}`: 422, `{"url":"http://h#x","apiKey":"x"}`: 422,
		`{"url":"http://h","apiKey":""}`: 422, `{"url":"http://h","apiKey":"a\r\nb: c"}`: 422, `{"url":"http://h","apiKey":"x","username":"y"}`: 422,
		`{"url":"http://h","apiKey":"x","etlPort":9001}`: 422, `{"url":"http://h","username":"u","password":"p"}`: 422, `{"url":"http://h","username":"u","etlToken":"p"}`: 422,
		`{"url":"http://h","username":"u:v","password":"p","etlToken":"t"}`: 422, `{"url":"http://h","username":"u","password":"p","etlToken":"t","etlPort":0}`: 422,
		`{"url":"http://h","username":"u","password":"p","etlToken":"t","etlPort":65536}`: 422,
		`{"url":"http://` + strings.Repeat("h", 2100) + `","apiKey":"x"}`:                 422,
	} {
		if a := c.send("PUT", target, body, auth...); a.status != want || a.header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: %d %s", body, a.status, a.body)
		}
	}
	c.send("PUT", target, `{"url":"ftp://h","apiKey":"x"}`, auth...).golden("publish/problem-invalid")
	c.send("PUT", target, "{", auth...).golden("publish/problem-malformed")
	c.send("PUT", target, strings.Repeat(" ", 17<<10), auth...).golden("publish/problem-too-large")
	c.send("PUT", target, good, "Authorization", basic("root", "pw-root")).golden("publish/problem-unsupported-media-type")
	c.send("PUT", target, good, "Authorization", basic("root", "pw-root"), "Content-Type", "text/xml").want(415)
	for _, q := range []string{"?force=yes", "?force=", "?force=true&force=true"} {
		c.send("PUT", target+q, good, auth...).want(400)
	}
	c.send("PUT", target+"?force=false", good, auth...).want(422).says(`{"result":"failure","reason":"unreachable"}`)
	c.send("PUT", target, good, append(auth, "Origin", "https://evil.example")...).want(403)
	c.do("GET", target, auth...).want(404) // nothing of all that was saved
}

// TestPublishReachesNoLoopback: what an administrator may not look at by way of the test.
func TestPublishReachesNoLoopback(t *testing.T) {
	var asked atomic.Int64
	inside := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	t.Cleanup(inside.Close)
	b := newBed(t, func(s *setup) { s.facades = []string{"publish"} })
	b.person("root", idbridge.Admin)
	auth := []string{"Authorization", basic("root", "pw-root"), "Content-Type", "application/json"}
	for _, address := range []string{inside.URL, "http://localhost:" + port(t, inside.URL), "http://169.254.169.254/latest/meta-data"} {
		b.client().send("PUT", target, object(t, "url", address, "apiKey", "x"), auth...).want(422).says(`{"result":"failure","reason":"unreachable"}`)
	}
	if asked.Load() != 0 {
		t.Error("the loopback was asked")
	}
}
