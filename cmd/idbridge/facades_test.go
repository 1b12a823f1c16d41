package main

import (
	"encoding/base64"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/idbridge/idbridge/internal/testserver"
)

// ask makes a request as a client of another system does, and returns status and body.
func ask(t *testing.T, method, url, body string, headers ...string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// TestFacades: the five facades as the config switches them on, over one daemon and one store; off they are 404. A person
// suspended is refused at every door on the next request.
func TestFacades(t *testing.T) {
	b := company(t, "", 20)
	key := strings.TrimSpace(b.must(0, "key", "new", "p000"))
	dotted := key[4:12] + "." + key[13:]
	plain := key[4:12] + key[13:]
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte("p000:"+key))
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	doors := []struct {
		name, method, path, body string
		headers                  []string
		status                   int
		part                     string
	}{
		{"imaging", "GET", "/api/user", "", []string{"X-API-KEY", dotted}, 200, `"username":"p000"`},
		{"imaging", "GET", "/rest/ready", "", []string{"X-API-KEY", dotted}, 200, `"ready"`},
		{"dashboards", "GET", "/rest/user", "", []string{"Authorization", basic}, 200, `"administrator":true`},
		{"dashboards", "GET", "/rest/user/ping", "", []string{"X-API-KEY", dotted}, 200, `"pong"`},
		{"assets", "GET", "/api/rest/management/user/p003", "", []string{"Authorization", "Bearer " + key}, 200, `"name":"p003"`},
		{"assets", "GET", "/api/rest/management/user/p003?fmt=xml", "", []string{"Authorization", "Bearer " + key}, 200, "<name>p003</name>"},
		{
			"controlroom", "POST", "/v1/authentication", `{"username":"p000","apiKey":"` + plain + `"}`, []string{"Content-Type", "application/json"}, 200,
			`"token":"eyJ`,
		},
		{"publish", "POST", "/api/v1/publish/verify", "", []string{"X-API-KEY", dotted}, 200, `"status":"success"`},
	}
	t.Run("off", func(t *testing.T) {
		off := b.in(t)
		base := off.serve()
		for _, d := range doors {
			if status, body := ask(t, d.method, base+d.path, d.body, d.headers...); status != 404 {
				t.Errorf("%s %s: %d\n%s", d.method, d.path, status, body)
			}
		}
	})
	b.swap("log: {level: info}", "log: {level: warn}")
	b.swap("http: {", "http: {facades: [imaging, dashboards, assets, controlroom, publish], ")
	base := b.serve()
	for _, d := range doors {
		if status, body := ask(t, d.method, base+d.path, d.body, d.headers...); status != d.status || !strings.Contains(body, d.part) {
			t.Errorf("%s: %s %s: %d, want %d with %s\n%s", d.name, d.method, d.path, status, d.status, d.part, body)
		}
	}
	b.must(0, "user", "suspend", "p000", "--reason", "lost badge")
	for _, d := range doors {
		if status, body := ask(t, d.method, base+d.path, d.body, d.headers...); status != 401 && status != 403 {
			t.Errorf("%s: %s %s of a suspended user: %d\n%s", d.name, d.method, d.path, status, body)
		}
	}
}

// TestFacadeDocs makes every request that docs/facades.md shows.
func TestFacadeDocs(t *testing.T) {
	b := newBridge(t, testserver.Slapd(t, testserver.SlapdOptions{LDIF: strings.ReplaceAll(people(5, "p003"), "p003", "jdoe")}), "", settings{})
	b.sync(0)
	key := strings.TrimSpace(b.must(0, "key", "new", "jdoe"))
	b.swap("http: {", "http: {facades: [imaging, dashboards, assets, controlroom, publish], ")
	url := b.serve()
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	page := strings.NewReplacer("$DOTTED", key[4:12]+"."+key[13:], "'$PLAIN'", key[4:12]+key[13:], "$KEY", key, "http://127.0.0.1:8080", url)
	lines := regexp.MustCompile("(?m)^curl .*$").FindAllString(read(t, "../../docs/facades.md"), -1)
	if len(lines) < 12 {
		t.Errorf("only %d curl lines found", len(lines))
	}
	for _, line := range lines {
		status, body := curlAnswer(t, page.Replace(line))
		if status/100 != 2 {
			t.Errorf("%s: %d\n%s", line, status, body)
		}
	}
}
