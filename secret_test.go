package idbridge_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/idbridge/idbridge"
)

const canary = "xyzzy-plugh-42"

type holder struct {
	Name   string
	Open   idbridge.Secret
	hidden idbridge.Secret // fmt calls no method of it
	deep   *idbridge.Secret
	list   []idbridge.Secret
	byName map[string]idbridge.Secret
}

// TestSecretStaysHidden prints a secret in every way there is, also as a field that fmt may not call methods of.
func TestSecretStaysHidden(t *testing.T) {
	s := idbridge.NewSecret(canary)
	h := holder{"n", s, s, &s, []idbridge.Secret{s}, map[string]idbridge.Secret{"k": s}}
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%d", "%s", "%q", "%x", "%X", "%p", "%t", "%10.3s", "%T", "%w"} {
		for _, x := range []any{s, &s, h, &h, []any{s, h}, map[string]any{"s": s}, struct{ s idbridge.Secret }{s}} {
			fmt.Fprintf(&out, verb+"\n", x)
		}
	}
	fmt.Fprintln(&out, s, &s, h, &h)
	for _, logger := range []*slog.Logger{
		slog.New(slog.NewTextHandler(&out, nil)), slog.New(slog.NewJSONHandler(&out, nil)),
	} {
		logger.Info("m", "secret", s, "pointer", &s, "holder", h, "all", []any{s, &h})
	}
	for _, x := range []any{s, &s, h, []idbridge.Secret{s}, map[string]idbridge.Secret{"k": s}} {
		b, err := json.Marshal(x)
		if err != nil {
			t.Fatal(err)
		}
		out.Write(b)
	}
	fmt.Fprint(&out, fmt.Errorf("bind: %v", s), s.String(), s.GoString())
	if strings.Contains(out.String(), canary) || strings.Contains(out.String(), fmt.Sprintf("%x", canary)) ||
		strings.Contains(out.String(), fmt.Sprintf("%X", canary)) {
		t.Errorf("it shows:\n%s", out.String())
	}
	if !strings.Contains(out.String(), "***") {
		t.Error("nothing tells that there is a secret")
	}
	if s.Reveal() != canary || s.IsEmpty() {
		t.Error("it cannot be used")
	}
}

func TestSecretZeroAndText(t *testing.T) {
	var s idbridge.Secret
	if s.Reveal() != "" || !s.IsEmpty() || !idbridge.NewSecret("").IsEmpty() {
		t.Error("the zero Secret is not empty")
	}
	if got := fmt.Sprintf("%v", s); got != "***" {
		t.Errorf("the zero Secret prints %q: that there is none is nobody's business either", got)
	}
	if err := json.Unmarshal([]byte(`"`+canary+`"`), &s); err != nil || s.Reveal() != canary {
		t.Errorf("read: %v", err)
	}
	b, err := json.Marshal(s)
	if err != nil || string(b) != `"***"` {
		t.Errorf("written: %s, %v", b, err)
	}
}

func TestErrorKinds(t *testing.T) {
	cause := errors.New("socket closed")
	e := &idbridge.Error{Kind: idbridge.Unavailable, Msg: "the directory does not answer", Hint: "see whether it runs", Err: cause}
	wrapped := fmt.Errorf("read cursor of %q: %w", "corp", e)
	outer := &idbridge.Error{Kind: idbridge.Incomplete, Msg: "the listing ended early", Err: wrapped}
	for _, c := range []struct {
		err  error
		kind idbridge.Kind
		hint string
	}{
		{nil, idbridge.Internal, ""},
		{cause, idbridge.Internal, ""},
		{e, idbridge.Unavailable, "see whether it runs"},
		{wrapped, idbridge.Unavailable, "see whether it runs"},
		{outer, idbridge.Incomplete, "see whether it runs"}, // the outermost kind, the hint that there is
		{idbridge.NotFound, idbridge.NotFound, ""},
		{errors.Join(cause, e), idbridge.Unavailable, "see whether it runs"},
	} {
		if got := idbridge.KindOf(c.err); got != c.kind {
			t.Errorf("%v: kind %v, want %v", c.err, got, c.kind)
		}
		if got := idbridge.HintOf(c.err); got != c.hint {
			t.Errorf("%v: hint %q, want %q", c.err, got, c.hint)
		}
	}
	if !errors.Is(outer, idbridge.Unavailable) || !errors.Is(outer, idbridge.Incomplete) || !errors.Is(outer, cause) || errors.Is(outer, idbridge.NotFound) {
		t.Error("the chain is not whole")
	}
	if errors.Is(cause, idbridge.Internal) {
		t.Error("what nobody classified is no Internal to errors.Is")
	}
}

func TestErrorText(t *testing.T) {
	cause := errors.New("cause")
	for _, c := range []struct {
		err  idbridge.Error
		want string
	}{
		{idbridge.Error{Kind: idbridge.Exists}, "exists"},
		{idbridge.Error{Msg: "m"}, "m"},
		{idbridge.Error{Err: cause}, "cause"},
		{idbridge.Error{Msg: "m", Hint: "h", Err: cause}, "m: cause"},
	} {
		if got := c.err.Error(); got != c.want {
			t.Errorf("%+v: %q, want %q", c.err, got, c.want)
		}
	}
	seen := map[string]idbridge.Kind{}
	for k := idbridge.Internal; k <= idbridge.Refused; k++ {
		name := k.Error()
		if other, ok := seen[name]; ok || name == "" {
			t.Errorf("kinds %d and %d are both %q", other, k, name)
		}
		seen[name] = k
	}
	if idbridge.Kind(200).Error() != "internal" {
		t.Error("a kind that does not exist is our own fault")
	}
}
