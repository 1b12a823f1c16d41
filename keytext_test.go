package idbridge_test

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"log/slog"
	"regexp"
	"strings"
	"testing"

	"github.com/idbridge/idbridge"
)

func TestKeyTextRenderings(t *testing.T) {
	native := regexp.MustCompile(`^idb_[A-Za-z0-9]{8}_[A-Za-z0-9]{32}$`)
	dotted := regexp.MustCompile(`^[A-Za-z0-9]{8}\.[A-Za-z0-9]{32}$`)
	plain := regexp.MustCompile(`^[A-Za-z0-9]{40}$`)
	seen := map[idbridge.KeyID]bool{}
	for range 500 {
		k, err := idbridge.NewKeyText(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		if !native.MatchString(k.Native()) || !dotted.MatchString(k.Dotted()) || !plain.MatchString(k.Plain()) {
			t.Fatalf("%s %s %s", k.Native(), k.Dotted(), k.Plain())
		}
		if seen[k.ID()] {
			t.Fatalf("id %s drawn twice in 500", k.ID())
		}
		seen[k.ID()] = true
		want := sha256.Sum256([]byte(k.Plain()))
		for _, s := range []string{k.Native(), k.Dotted(), k.Plain()} {
			p, ok := idbridge.ParseKeyText(s)
			if !ok || p.ID() != k.ID() || !bytes.Equal(p.Digest(), want[:]) || !p.Matches(want[:]) || !p.Genuine() {
				t.Fatalf("%s read back as %s, %v", s, p.Plain(), ok)
			}
		}
	}
}

// TestKeyTextSum computes the checksum a second way.
func TestKeyTextSum(t *testing.T) {
	k, err := idbridge.NewKeyText(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s := k.Plain()
	const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	got := uint64(0)
	for _, c := range s[34:] {
		got = got*62 + uint64(strings.IndexRune(alphabet, c))
	}
	if want := uint64(crc32.ChecksumIEEE([]byte(s[:34]))); got != want {
		t.Fatalf("checksum %d, want %d", got, want)
	}
}

func TestKeyTextDraw(t *testing.T) {
	if _, err := idbridge.NewKeyText(strings.NewReader("short")); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("short source: %v", err)
	}
	if _, err := idbridge.NewKeyText(constant(255)); err == nil {
		t.Error("a source of nothing but 255 must be refused, not read for ever")
	}
	k, err := idbridge.NewKeyText(constant(247))
	if err != nil || k.Plain()[:34] != strings.Repeat("z", 34) {
		t.Errorf("247 is the largest fair octet: %v %v", k.Plain(), err)
	}
}

type constant byte

func (c constant) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(c)
	}
	return len(p), nil
}

func TestParseKeyTextRefuses(t *testing.T) {
	const id, secret = "06935MrA", "abcdefghijklmnopqrstuvwxyz012345"
	good := []string{id + secret, id + "." + secret, "idb_" + id + "_" + secret, `06;:\[{"A` + secret[1:], "06935MrA" + `;:\[{` + secret[5:]}
	for _, s := range good {
		if _, ok := idbridge.ParseKeyText(s); !ok {
			t.Errorf("%q refused", s)
		}
	}
	bad := []string{
		"", id, id + secret[1:], id + secret + "x", id + "_" + secret, " " + id + secret, id + secret + " ", "IDB_" + id + "_" + secret,
		"idb-" + id + "_" + secret, "idb_" + id + "." + secret, id + "." + secret[2:], id + "\x00" + secret[1:], id + "é" + secret[2:],
		id + " " + secret[1:], id + "\x7f" + secret[1:], id + "." + secret + "\n",
	}
	for _, s := range bad {
		if k, ok := idbridge.ParseKeyText(s); ok {
			t.Errorf("%q read as %s", s, k.Plain())
		}
	}
}

func TestKeyTextMatches(t *testing.T) {
	k, _ := idbridge.ParseKeyText("06935MrA" + strings.Repeat("x", 32))
	d := k.Digest()
	if !k.Matches(d) {
		t.Error("own digest refused")
	}
	other, _ := idbridge.ParseKeyText("06935MrA" + strings.Repeat("X", 32))
	if other.Matches(d) {
		t.Error("case does not count")
	}
	for _, bad := range [][]byte{nil, {}, d[:31], append(bytes.Clone(d), 0), make([]byte, 32)} {
		if k.Matches(bad) {
			t.Errorf("matches %x", bad)
		}
	}
	var zero idbridge.KeyText
	if zero.Matches(nil) || zero.Matches(d) || zero.ID() != "" || zero.Native() != "" || zero.Digest() != nil || zero.Genuine() {
		t.Error("the zero key opens something")
	}
}

func TestKeyTextRedacts(t *testing.T) {
	k, err := idbridge.NewKeyText(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	type holder struct {
		Key   idbridge.KeyText
		inner idbridge.KeyText
	}
	h := holder{k, k}
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x", "%X", "%p", "%t"} {
		fmt.Fprintf(&out, verb+" "+verb+" "+verb+" "+verb+"\n", k, &k, h, &h)
	}
	slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "key", k, "holder", h)
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", "key", k, "holder", h)
	b, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	out.Write(b)
	_ = h.inner
	secret := k.Plain()[8:]
	for _, s := range []string{secret, fmt.Sprintf("%x", secret), fmt.Sprintf("%X", secret), fmt.Sprint([]byte(secret))[1:60]} { //nolint:staticcheck // as the numbers of its bytes
		if strings.Contains(out.String(), s) {
			t.Errorf("the secret is printed: %s", out.String())
		}
	}
}

func FuzzParseKeyText(f *testing.F) {
	for _, s := range []string{"", "06935MrA.abcdefghijklmnopqrstuvwxyz012345", "idb_06935MrA_abcdefghijklmnopqrstuvwxyz012345"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		k, ok := idbridge.ParseKeyText(s)
		if !ok {
			return
		}
		if s != k.Native() && s != k.Dotted() && s != k.Plain() {
			t.Fatalf("%q is no rendering of %q", s, k.Plain())
		}
		for _, r := range []string{k.Native(), k.Dotted(), k.Plain()} {
			if p, ok := idbridge.ParseKeyText(r); !ok || p.Plain() != k.Plain() {
				t.Fatalf("%q reads as %q", r, p.Plain())
			}
		}
	})
}
