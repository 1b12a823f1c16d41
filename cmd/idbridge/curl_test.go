package main

import (
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/idbridge/idbridge/internal/testserver"
)

// TestCurls makes every request that the README shows as a curl line, and those that the demo prints.
func TestCurls(t *testing.T) {
	slapd := testserver.Slapd(t, testserver.SlapdOptions{LDIF: strings.ReplaceAll(people(5, "p000"), "p003", "jdoe")})
	b := newBridge(t, slapd, "", settings{})
	b.sync(0)
	key := strings.TrimSpace(b.must(0, "key", "new", "p000"))
	url := b.serve()
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	readme := strings.NewReplacer("$KEY", key, "http://127.0.0.1:8080", url)
	demo := strings.NewReplacer("$KEY", key, "URL", url)
	seen := 0
	for _, line := range regexp.MustCompile("(?m)^curl .*$").FindAllString(read(t, "../../README.md"), -1) {
		seen++
		curl(t, readme.Replace(line), true)
	}
	for line := range strings.Lines(demoTries) {
		if strings.HasPrefix(line, "curl ") {
			seen++
			curl(t, demo.Replace(strings.TrimSpace(line)), !strings.Contains(line, "-u zangstrom")) // he is of the demo's company
		}
	}
	if seen < 5 {
		t.Errorf("only %d curl lines found", seen)
	}
}

// curl makes the request of a line, which has to be answered with 200, or with 401 when it is not good.
func curl(t *testing.T, line string, good bool) {
	t.Helper()
	status, answer := curlAnswer(t, line)
	if good && status != http.StatusOK || !good && status != http.StatusUnauthorized {
		t.Errorf("%s: %d\n%s", line, status, answer)
	}
}

// curlAnswer does what the program would do with the options that our lines use.
func curlAnswer(t *testing.T, line string) (status int, answer string) {
	t.Helper()
	words := regexp.MustCompile(`'([^']*)'|"([^"]*)"|(\S+)`).FindAllStringSubmatch(line, -1)
	word := func(i int) string { return words[i][1] + words[i][2] + words[i][3] }
	method, url, body, user := http.MethodGet, "", "", ""
	header := http.Header{}
	for i := 1; i < len(words); i++ {
		switch word(i) {
		case "-H":
			i++
			name, value, _ := strings.Cut(word(i), ": ")
			header.Set(name, value)
		case "-d":
			i++
			body = word(i)
			if method == http.MethodGet {
				method = http.MethodPost
			}
		case "-X":
			i++
			method = word(i)
		case "-u":
			i++
			user = word(i)
		default:
			url = word(i)
		}
	}
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	req.Header = header
	if name, password, ok := strings.Cut(user, ":"); ok {
		req.SetBasicAuth(name, password)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	return resp.StatusCode, string(text)
}
