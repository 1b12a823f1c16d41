package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/authstore"
	"github.com/idbridge/idbridge/httpapi/password"
)

// house of one: a store on disk with a person, a service and nobody else.
type passwordBed struct {
	t             *testing.T
	config, store string
}

func newPasswordBed(t *testing.T) *passwordBed {
	t.Helper()
	dir := t.TempDir()
	b := &passwordBed{t: t, config: filepath.Join(dir, "idbridge.yaml"), store: "sqlite:" + filepath.Join(dir, "idbridge.db")}
	text := fmt.Sprintf("store: {url: %q}\nhttp: {listen: \"127.0.0.1:0\"}\nlog: {level: warn}\ndirectories:\n"+
		"  - name: corp\n    type: ldap\n    urls: [\"ldaps://127.0.0.1:1\"]\n    base_dn: dc=example,dc=org\n    map: {userName: uid}\n", b.store)
	if err := os.WriteFile(b.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	b.run(0, nil, "user", "add", "jdoe", "displayName=Jonathan von Doe")
	b.run(0, nil, "user", "add", "--service", "billing")
	return b
}

func (b *passwordBed) run(code int, stdin io.Reader, args ...string) (out string) {
	b.t.Helper()
	var text bytes.Buffer
	got := run(context.Background(), append([]string{"-c", b.config}, args...), func(string) string { return "" }, stdin, &text, &text)
	if got != code {
		b.t.Fatalf("idbridge %s: exit %d, want %d\n%s", strings.Join(args, " "), got, code, &text)
	}
	return text.String()
}

// opens tells whether the store has this password of jdoe.
func (b *passwordBed) opens(text string) bool {
	b.t.Helper()
	s, err := authstore.Open(b.t.Context(), authstore.Config{URL: b.store}, authstore.Options{})
	if err != nil {
		b.t.Fatal(err)
	}
	defer s.Close()
	_, hash, err := s.Password(b.t.Context(), "jdoe")
	if idbridge.KindOf(err) == idbridge.NotFound {
		return false
	}
	ok, bad := password.New().Verify(b.t.Context(), idbridge.NewSecret(text), hash)
	if err != nil || bad != nil {
		b.t.Fatal(err, bad)
	}
	return ok
}

func TestUserPassword(t *testing.T) {
	b := newPasswordBed(t)
	for stdin, want := range map[string]string{
		"":                           "fewer than 12",
		"elevenchars\n":              "fewer than 12",
		"äöüäöü\n":                   "fewer than 12",
		"JONATHAN VON DOE\n":         "own name",
		strings.Repeat("x", 1001):    "too long",
		"twelve chars \xff and so\n": "no UTF-8",
	} {
		out := b.run(1, strings.NewReader(stdin), "user", "password", "jdoe")
		if !strings.Contains(out, want) || len(stdin) > 1 && strings.Contains(out, strings.TrimSpace(stdin)) {
			t.Errorf("%q: %s", stdin, out)
		}
	}
	b.run(1, strings.NewReader("correct horse battery\n"), "user", "password", "billing")
	b.run(1, strings.NewReader("correct horse battery\n"), "user", "password", "nobody")
	b.run(2, nil, "user", "password")
	if b.opens("elevenchars") {
		t.Error("a refused password was set")
	}
	out := b.run(0, strings.NewReader("correct horse battery\r\nand more\n"), "-o", "json", "user", "password", "jdoe")
	if !strings.Contains(out, `"passwordSet": true`) || strings.Contains(out, "horse") || !b.opens("correct horse battery") {
		t.Errorf("set: %s", out)
	}
	out = b.run(0, strings.NewReader("another  one with blanks "), "user", "password", "JDOE")
	if strings.Contains(out, "blanks") || !b.opens("another  one with blanks ") || b.opens("correct horse battery") {
		t.Errorf("set again: %s", out)
	}
	if out := b.run(0, nil, "audit", "list"); !strings.Contains(out, "password.set") || !strings.Contains(out, "password.reset") || strings.Contains(out, "argon2") {
		t.Errorf("audit:\n%s", out)
	}
}

// TestUserPasswordTyped: on a terminal it is asked for twice, and what is typed is not shown.
func TestUserPasswordTyped(t *testing.T) {
	b := newPasswordBed(t)
	for _, c := range []struct {
		lines [2]string
		code  int
		out   string
	}{
		{[2]string{"typed by a person", "typed by a persom"}, 1, "differ"},
		{[2]string{"typed by a person", "typed by a person"}, 0, "new password"},
	} {
		keys, screen, terminal := openTerminal(t)
		done := make(chan string, 1)
		go func() { done <- b.run(c.code, terminal, "user", "password", "jdoe") }()
		for _, line := range c.lines {
			waitQuiet(t, terminal)
			if _, err := keys.WriteString(line + "\n"); err != nil {
				t.Fatal(err)
			}
		}
		out := <-done
		if !strings.Contains(out, "New password of jdoe: ") || !strings.Contains(out, c.out) || strings.Contains(out, "typed by") {
			t.Errorf("said %s", out)
		}
		if echo(t, terminal) == 0 {
			t.Error("the terminal stays without echo")
		}
		terminal.Close()
		if shown := screen(); strings.Contains(shown, "typed") {
			t.Errorf("the terminal showed %q", shown)
		}
	}
	if !b.opens("typed by a person") {
		t.Error("the password was not set")
	}
}

// openTerminal returns a terminal, what its keys type into, and what it shows in the end.
func openTerminal(t *testing.T) (keys *os.File, screen func() string, terminal *os.File) {
	t.Helper()
	keys, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { keys.Close() })
	n, err := unix.IoctlGetInt(int(keys.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(keys.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		terminal, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	return keys, func() string {
		all, _ := io.ReadAll(keys) // ends with an error when the terminal is closed
		return string(all)
	}, terminal
}

func echo(t *testing.T, terminal *os.File) uint32 {
	t.Helper()
	is, err := unix.IoctlGetTermios(int(terminal.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	return is.Lflag & unix.ECHO
}

// waitQuiet waits until the terminal shows nothing that is typed.
func waitQuiet(t *testing.T, terminal *os.File) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); echo(t, terminal) != 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the terminal shows what is typed")
		}
	}
}
