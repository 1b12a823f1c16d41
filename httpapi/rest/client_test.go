package rest_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// client behaves as the programs do that know these systems: it keeps cookies, and follows no redirect.
type client struct {
	t    testing.TB
	base *url.URL
	http http.Client
}

func (b *bed) client() *client {
	b.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		b.t.Fatal(err)
	}
	base, err := url.Parse(b.url)
	if err != nil {
		b.t.Fatal(err)
	}
	transport := &http.Transport{}
	b.t.Cleanup(transport.CloseIdleConnections)
	return &client{t: b.t, base: base, http: http.Client{
		Jar: jar, Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// cookie returns the value of a cookie in the jar, "" for none.
func (c *client) cookie(name string) string {
	for _, k := range c.http.Jar.Cookies(c.base) {
		if k.Name == name {
			return k.Value
		}
	}
	return ""
}

// answer is what came back.
type answer struct {
	t      testing.TB
	status int
	header http.Header
	body   string
}

// do sends a request; headers come in pairs and keep their spelling.
func (c *client) do(method, path string, headers ...string) *answer {
	c.t.Helper()
	return c.send(method, path, "", headers...)
}

func (c *client) send(method, path, body string, headers ...string) *answer {
	c.t.Helper()
	var r io.Reader
	if body != "" {
		r = strings.NewReader(body)
	}
	req, err := http.NewRequestWithContext(context.Background(), method, c.base.String()+path, r)
	if err != nil {
		c.t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			req.Host = headers[i+1]
			continue
		}
		req.Header[headers[i]] = append(req.Header[headers[i]], headers[i+1])
	}
	res, err := c.http.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	a := &answer{t: c.t, status: res.StatusCode, header: res.Header, body: string(raw)}
	if strings.Contains(res.Header.Get("Content-Type"), "html") || strings.HasPrefix(strings.TrimSpace(strings.ToLower(a.body)), "<") {
		c.t.Errorf("%s %s: HTML", method, path)
	}
	if a.status >= 300 && a.status < 400 {
		c.t.Errorf("%s %s: redirect", method, path)
	}
	if res.Header.Get("Cache-Control") != "no-store" || res.Header.Get("X-Content-Type-Options") != "nosniff" || res.Header.Get("X-Request-Id") == "" {
		c.t.Errorf("%s %s: headers %v", method, path, res.Header)
	}
	return a
}

func (a *answer) want(status int) *answer {
	a.t.Helper()
	if a.status != status {
		a.t.Fatalf("status %d, want %d: %s", a.status, status, a.body)
	}
	return a
}

func (a *answer) says(body string) *answer {
	a.t.Helper()
	if a.body != body {
		a.t.Fatalf("body %q, want %q", a.body, body)
	}
	return a
}

func (a *answer) json() map[string]any {
	a.t.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(a.body), &m); err != nil {
		a.t.Fatalf("%d %q: %v", a.status, a.body, err)
	}
	return m
}

func (a *answer) list() []any {
	a.t.Helper()
	var l []any
	if err := json.Unmarshal([]byte(a.body), &l); err != nil || l == nil {
		a.t.Fatalf("%d %q: %v", a.status, a.body, err)
	}
	return l
}

// setsCookies returns the names of the cookies that an answer sets and does not expire, sorted.
func (a *answer) setsCookies() []string {
	var names []string
	for _, line := range a.header["Set-Cookie"] {
		if k, err := http.ParseSetCookie(line); err == nil && k.MaxAge >= 0 {
			names = append(names, k.Name)
		}
	}
	slices.Sort(names)
	return names
}

// What differs from one answer to the next.
var (
	cookieValue = regexp.MustCompile(`(idbridge_\w+|XSRF-TOKEN)=[^;]+`)
	uuidValue   = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}`)
	dateValue   = regexp.MustCompile(`"20\d\d-\d\d-\d\dT[0-9:]+Z"`)
	portValue   = regexp.MustCompile(`127\.0\.0\.1:\d+`)
	instance    = regexp.MustCompile(`"instance":"[^"]*"`)
	userID      = regexp.MustCompile(`"id":\d+`)
	last4       = regexp.MustCompile(`"apiKeyLast4":"\w{4}"`)
)

// golden holds the whole answer against a file: status, the headers that clients look at, and the body to the octet. With
// UPDATE_GOLDEN the file is written.
func (a *answer) golden(name string) *answer {
	a.t.Helper()
	var text strings.Builder
	fmt.Fprintf(&text, "%d\n", a.status)
	for _, h := range []string{"Allow", "Content-Type", "Retry-After", "Set-Cookie", "Www-Authenticate"} {
		for _, v := range a.header[h] {
			fmt.Fprintf(&text, "%s: %s\n", h, cookieValue.ReplaceAllString(v, "$1=VALUE"))
		}
	}
	body := uuidValue.ReplaceAllString(a.body, "UUID")
	body = dateValue.ReplaceAllString(body, `"DATE"`)
	body = portValue.ReplaceAllString(body, "HOST:PORT")
	body = instance.ReplaceAllString(body, `"instance":"REQUEST"`)
	body = userID.ReplaceAllString(body, `"id":1`)
	body = last4.ReplaceAllString(body, `"apiKeyLast4":"LAST"`)
	text.WriteString("\n" + body)
	file := filepath.Join("testdata", name+".http")
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.MkdirAll(filepath.Dir(file), 0o750); err != nil {
			a.t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
			a.t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		a.t.Fatal(err)
	}
	if text.String() != string(want) {
		a.t.Errorf("%s: got\n%s\nwant\n%s", name, text.String(), want)
	}
	return a
}
