package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	mrand "math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/internal/testserver"
)

// offline is a bridge to a directory that nobody asks: for commands about the store alone.
func offline(t *testing.T, url string) *bridge {
	t.Helper()
	slapd := &testserver.SlapdServer{
		TLSURL: "ldaps://127.0.0.1:1", SyncDN: "cn=sync", SyncPassword: "x", CAFile: filepath.Join(t.TempDir(), "none"), BaseDN: "dc=example,dc=org",
	}
	b := newBridge(t, slapd, url, settings{})
	b.swap(fmt.Sprintf("tls: {ca_file: %q}", slapd.CAFile), "tls: {}")
	return b
}

// feed gives a command some stdin.
func (b *bridge) feed(stdin string, args ...string) (code int, stdout, stderr string) {
	b.t.Helper()
	var out, errs bytes.Buffer
	code = run(context.Background(), append([]string{"-c", b.config}, args...), func(string) string { return "" }, strings.NewReader(stdin), &out, &errs)
	return code, out.String(), errs.String()
}

// keyStates returns the word for the state of each key that a list selects.
func (b *bridge) keyStates(args ...string) map[string]string {
	b.t.Helper()
	var rows []map[string]string
	if err := json.Unmarshal([]byte(b.must(0, append([]string{"-o", "json", "key", "list"}, args...)...)), &rows); err != nil {
		b.t.Fatal(err)
	}
	out := map[string]string{}
	for _, r := range rows {
		out[r["id"]], _, _ = strings.Cut(r["state"], " ")
	}
	return out
}

func idOf(t *testing.T, key string) string {
	t.Helper()
	text, ok := idbridge.ParseKeyText(strings.TrimSpace(key))
	if !ok {
		t.Fatalf("%q is no key", key)
	}
	return string(text.ID())
}

// TestKeyCommands: a key is rotated, another one imported, and both go at once.
func TestKeyCommands(t *testing.T) {
	stores(t, func(t *testing.T, url string) {
		b := offline(t, url)
		b.must(0, "user", "add", "--service", "billing")
		b.must(0, "user", "add", "--service", "other")
		first := idOf(t, b.must(0, "key", "new", "billing"))
		kept := idOf(t, b.must(0, "key", "new", "other"))
		second := idOf(t, b.must(0, "key", "rotate", first, "--overlap", "7d"))
		if got := b.must(0, "key", "list", "billing"); !strings.Contains(got, "until") || !strings.Contains(got, second) {
			t.Errorf("the list does not say how long the old key is good:\n%s", got)
		}
		third := idOf(t, b.must(0, "key", "rotate", second))
		want := map[string]string{first: "rotated", second: "rotated", third: "active"}
		if diff := cmp.Diff(want, b.keyStates("billing")); diff != "" {
			t.Errorf("states (-want +got):\n%s", diff)
		}
		for _, bad := range [][]string{{"rotate", second}, {"rotate", third, "--overlap", "31d"}, {"rotate", third, "--overlap", "soon"}, {"rotate", "nobodys0"}} {
			if code, _, _ := b.do(append([]string{"key"}, bad...)...); code == 0 {
				t.Errorf("key %v was done", bad)
			}
		}
		const secret = `;:[{ABCDEFGHIJKLMNOPQRSTUVWXYZ01`
		imported := "old;key1." + secret
		if code, out, errs := b.feed(imported+"\r\n", "key", "import", "billing", "--slot", "old"); code != 0 || strings.Contains(out+errs, secret) {
			t.Fatalf("import: exit %d\n%s%s", code, out, errs)
		}
		for name, c := range map[string][]string{"again": {imported, "other", "--slot", "x"}, "no key": {"x", "other"}, "second primary": {"0123456789012345678901234567890123456789", "billing"}} {
			code, out, errs := b.feed(c[0], append([]string{"key", "import"}, c[1:]...)...)
			if code == 0 || strings.Contains(out+errs, secret) {
				t.Errorf("%s: exit %d\n%s%s", name, code, out, errs)
			}
		}
		want["old;key1"] = "active"
		b.must(0, "key", "revoke", "--user", "billing")
		if diff := cmp.Diff(want, b.keyStates("billing")); diff != "" {
			t.Errorf("dry, and states changed (-want +got):\n%s", diff)
		}
		if got := b.must(0, "key", "revoke", "--user", "billing", "--unused-since", "90d", "--yes"); !strings.Contains(got, "none") {
			t.Errorf("keys of today are unused for 90 days:\n%s", got)
		}
		b.must(0, "key", "revoke", "--user", "billing", "--reason", "moved on", "--yes")
		want["old;key1"], want[third] = "revoked", "revoked"
		if diff := cmp.Diff(want, b.keyStates("billing")); diff != "" {
			t.Errorf("states (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(map[string]string{kept: "active"}, b.keyStates("--state", "active")); diff != "" {
			t.Errorf("active (-want +got):\n%s", diff)
		}
		if code, _, _ := b.do("key", "revoke", "--yes"); code != int(exitUsage) {
			t.Errorf("revoke of everything: exit %d", code)
		}
		for _, bad := range []string{"--unused-since=soon", "--state=dead", "--directory=nowhere", "--created-before=-3h"} {
			if code, _, errs := b.do("key", "list", bad); code == 0 {
				t.Errorf("list %s: %s", bad, errs)
			}
		}
	})
}

// TestKeyScan: a key is found in any rendering and wherever it hides, by file and line, and nothing of its secret is said.
func TestKeyScan(t *testing.T) {
	dir := t.TempDir()
	var want, secrets []string
	put := func(name, text string) string {
		t.Helper()
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	draw := func() idbridge.KeyText {
		t.Helper()
		key, err := idbridge.NewKeyText(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		secrets = append(secrets, key.Plain()[8:])
		return key
	}
	hide := func(name string, line int, before string, key string, after string) {
		t.Helper()
		file := put(name, before+key+after)
		want = append(want, fmt.Sprintf("%s:%d: key %s", file, line, idOf(t, key)))
	}
	hide("a/native.env", 3, "# x\n\nKEY=", draw().Native(), "\n")
	hide("b/dotted.sh", 1, "curl -H 'X-API-KEY: ", draw().Dotted(), "'")
	hide("c/plain.json", 2, "{\n\"key\":\"", draw().Plain(), "\"}")
	hide("d/glued.txt", 1, `first line\n`, draw().Plain(), `\r`)
	hide("e/long.bin", 1, strings.Repeat("\x00A9", (scanChunk-20)/3), draw().Native(), "\x00") // over the end of a chunk
	hide("f/end", 1, "", draw().Plain(), "")
	text := draw().Plain()
	put("g/mistyped", text[:39]+map[bool]string{true: "0", false: "1"}[text[39] != '0'])
	put("g/short", draw().Native()[:44])
	put("g/folded", strings.ToLower(draw().Native()))
	if err := os.Symlink(filepath.Join(dir, "a"), filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	scan := func(stdin string, args ...string) (int, string) {
		t.Helper()
		var out, errs bytes.Buffer
		code := run(context.Background(), append([]string{"key", "scan"}, args...), func(string) string { return "" }, strings.NewReader(stdin), &out, &errs)
		for _, s := range secrets {
			if all := out.String() + errs.String(); strings.Contains(all, s) || strings.Contains(all, s[8:24]) {
				t.Errorf("a secret is said:\n%s", all)
			}
		}
		return code, out.String()
	}
	code, out := scan("", dir)
	if diff := cmp.Diff(strings.Join(want, "\n")+"\n", out); diff != "" || code != int(exitError) {
		t.Errorf("exit %d (-want +got):\n%s", code, diff)
	}
	if code, out = scan("", filepath.Join(dir, "g")); code != 0 || out != "" {
		t.Errorf("what is no key: exit %d\n%s", code, out)
	}
	piped := draw()
	if code, out = scan("\n"+piped.Dotted()+" "+piped.Native(), "-"); code != 1 || strings.Count(out, "-:2: key "+string(piped.ID())+"\n") != 2 {
		t.Errorf("stdin: exit %d\n%s", code, out)
	}
	if code, out = scan("", "-o", "json", filepath.Join(dir, "a")); code != 1 || !strings.Contains(out, `"line": 3`) {
		t.Errorf("json: exit %d\n%s", code, out)
	}
	if code, _ = scan("", filepath.Join(dir, "nowhere")); code != int(exitError) {
		t.Errorf("a path that is not there: exit %d", code)
	}
}

// TestScanHasNoFalseHits: ten million random texts of a key's shape have none.
func TestScanHasNoFalseHits(t *testing.T) {
	const letters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	random := mrand.New(mrand.NewPCG(40, 62))
	var text [41]byte
	for range 10_000_000 {
		var bits uint64
		for i := range 40 {
			if i%10 == 0 {
				bits = random.Uint64()
			}
			text[i] = letters[bits%62]
			bits /= 62
		}
		text[40] = '\n'
		if id, _ := keyAt(text[:]); id != "" {
			t.Errorf("%s is taken for a key", text[:])
		}
	}
}
