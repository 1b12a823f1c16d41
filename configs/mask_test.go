package configs_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/idbridge/idbridge/configs"
)

// TestErrorText is what a person sees: all faults, carets, hints, and no password.
func TestErrorText(t *testing.T) {
	_, err := load(t, `store: {url: 7, password: HUSH, pasword: HUSH}
é: 1
http:
  listen: 80
directories:
- name: corp
  urls: [ldaps://u:HUSH@a]
  base_dn: dc=a
  bind:
    dn: 5
    password: 'HUSH
      HUSH'
    pasword: |
      HUSH
    passw0rd: HUSH
  map: {userName: uid}
`)
	var f *configs.Faults
	if !errors.As(err, &f) {
		t.Fatal(err)
	}
	f.File = "idbridge.yaml"
	want := `idbridge.yaml:1:14: store.url: must be a text; without quotes YAML reads a number and may rewrite it
     1 | store: {url: 7, password: ***
       |              ^
       = put it in quotes
idbridge.yaml:1:33: store.pasword: unknown key
     1 | store: {url: 7, password: ***
       |                              ^
       = did you mean "password"?
idbridge.yaml:2:1: é: unknown key
     2 | é: 1
       | ^
       = known here: store, http, keys, metrics, log, timezone, access, attributes, precedence, directories, permissions, retention, roles
idbridge.yaml:4:11: http.listen: must be a text; without quotes YAML reads a number and may rewrite it
     4 |   listen: 80
       |           ^
       = put it in quotes
idbridge.yaml:7:10: directories[0].urls[0]: "ldaps://u:***@a": only scheme, host and port belong here
     7 |   urls: [ldaps://u:***@a]
       |          ^
idbridge.yaml:10:9: directories[0].bind.dn: must be a text; without quotes YAML reads a number and may rewrite it
    10 |     dn: 5
       |         ^
       = put it in quotes
idbridge.yaml:13:5: directories[0].bind.pasword: unknown key
    13 |     pasword: ***
       |     ^
       = did you mean "password"?
idbridge.yaml:15:5: directories[0].bind.passw0rd: unknown key
    15 |     passw0rd: ***
       |     ^
       = did you mean "password"?`
	if err.Error() != want {
		t.Errorf("got\n%s\nwant\n%s", err, want)
	}
}

// TestHush breaks a file with passwords at every byte, in several ways: no fault, no Show and no %+v has one of them.
func TestHush(t *testing.T) {
	yaml := "store: {url: \"postgres://u@h/d?sslmode=disable\", password: HUSH-1}\n" + small +
		"  bind:\n    dn: cn=a\n    password: \"HUSH-2\"\n  mode: apply\n"
	check := func(text string) {
		cfg, err := load(t, text)
		shown := fmt.Sprintf("%v %+v %#v", err, err, cfg)
		var f *configs.Faults
		if errors.As(err, &f) {
			shown += fmt.Sprintf("%+v %#v", f.List, f.List)
		}
		if err == nil {
			shown += configs.Show(cfg) + fmt.Sprintf("%+v %#v", *cfg, cfg.Directories)
		}
		if strings.Contains(shown, hush) {
			t.Fatalf("shows a password for\n%s\n%s", text, shown)
		}
	}
	check(yaml)
	key := strings.Index(yaml, "password")
	for i := range len(yaml) {
		for _, insert := range []string{"\n", "\"", "'", "{", "]", ": ", "&a ", "- ", "#", "\t", "|\n"} {
			if inWord(yaml, i) {
				continue
			}
			check(yaml[:i] + insert + yaml[i:])
		}
		if i < key {
			check(yaml[i:])
		}
		check(yaml[:i])
	}
}

// inWord tells whether position i is inside a word password or HUSH: breaking the word makes it another word.
func inWord(s string, i int) bool {
	for _, w := range []string{"password", "HUSH-1", "HUSH-2"} {
		for at := 0; ; at++ {
			next := strings.Index(s[at:], w)
			if next < 0 {
				break
			}
			at += next
			if at < i && i < at+len(w) {
				return true
			}
		}
	}
	return false
}
