package authstore_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/authstore"
)

const phc = "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$aGFzaGhhc2hoYXNoaGFzaGhhc2hoYXNoaGFzaGhhc2g"

// local makes a user who is in no directory.
func (b *bed) local(login string, kind idbridge.UserKind) idbridge.UserID {
	b.t.Helper()
	return must(b.AddUser(b.t.Context(), idbridge.NewUser{Kind: kind, Profile: profile("userName", login), By: "cli"}))(b.t).ID
}

func TestPassword(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		ctx := t.Context()
		lou, linked := b.local("Lou", idbridge.Person), b.create("ann")[0]
		service := b.local("billing", idbridge.Service)
		for _, name := range []string{"lou", "ann", "billing", "nobody", "", "a\x00b"} {
			if _, _, err := b.Password(ctx, name); idbridge.KindOf(err) != idbridge.NotFound {
				t.Errorf("password of %q: %v", name, err)
			}
		}
		s := b.signIn("one", lou)
		if err := b.SetPassword(ctx, lou, idbridge.NewSecret(phc), "cli"); err != nil {
			t.Fatal(err)
		}
		b.wantOver(&s, idbridge.EndedByChange)
		if id, got, err := b.Password(ctx, "LOU"); id != lou || got.Reveal() != phc || err != nil {
			t.Errorf("%d, %v", id, err)
		}
		for _, c := range []struct {
			user idbridge.UserID
			text string
			kind idbridge.Kind
		}{
			{service, phc, idbridge.Invalid}, {linked, phc, idbridge.Forbidden}, {4711, phc, idbridge.NotFound},
			{lou, "in clear", idbridge.Invalid}, {lou, "$2y$10$abc", idbridge.Invalid}, {lou, phc + strings.Repeat("x", 512), idbridge.Invalid},
		} {
			if err := b.SetPassword(ctx, c.user, idbridge.NewSecret(c.text), "cli"); idbridge.KindOf(err) != c.kind {
				t.Errorf("user %d, %q: %v", c.user, c.text, err)
			}
		}
		for _, by := range []string{"Lou", "cli"} {
			if err := b.SetPassword(ctx, lou, idbridge.NewSecret(phc+by), by); err != nil {
				t.Fatal(err)
			}
		}
		if n := b.actions(); n["password.set"] != 2 || n["password.reset"] != 1 || n["session.end"] != 1 {
			t.Errorf("audit %v", n)
		}
		for range 2 {
			if err := b.SetPassword(ctx, lou, idbridge.Secret{}, "cli"); err != nil {
				t.Fatal(err)
			}
		}
		if _, _, err := b.Password(ctx, "lou"); idbridge.KindOf(err) != idbridge.NotFound || b.actions()["password.remove"] != 1 {
			t.Errorf("removed: %v", err)
		}
		if err := b.SetPassword(ctx, lou, idbridge.NewSecret(phc), "cli"); err != nil {
			t.Fatal(err)
		}
		if err := b.DeleteUser(ctx, lou, "cli"); err != nil {
			t.Fatal(err)
		}
		if n := b.rows("password", "1 = 1"); n != 0 {
			t.Errorf("%d passwords of nobody", n)
		}
	})
}

// TestPasswordOfTheLinked: who is linked to a directory has its password, and not one that he had before.
func TestPasswordOfTheLinked(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		ctx := t.Context()
		dave := must(b.AddUser(ctx, idbridge.NewUser{Profile: profile("userName", "dave"), By: "cli"}))(t)
		if err := b.SetPassword(ctx, dave.ID, idbridge.NewSecret(phc), "cli"); err != nil {
			t.Fatal(err)
		}
		b.commit(idbridge.Decision{
			ID: corp("id-dave"), Situation: idbridge.Linked, User: dave.ID, Read: idbridge.Versions{User: dave.Revision},
			Steps: []idbridge.Step{{ID: corp("id-dave"), User: dave.ID, Side: idbridge.StoreSide, Verb: idbridge.Linking}},
			Seen:  idbridge.Observation{Locator: "x"},
		})
		_, _, err := b.Password(ctx, "dave")
		wantKind(t, err, idbridge.NotFound)
	})
}

func TestApplications(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		ctx := t.Context()
		dream := idbridge.Application{Name: "Dream Team", Href: "AAD/applications/3", DBType: "ADG", ADGDatabase: "adg_central", Snapshots: 2, Latest: "2026-01-31"}
		for _, a := range []idbridge.Application{{Name: "zeta"}, dream, dream, {Name: "Äpfel"}} {
			if err := b.PutApplication(ctx, a, "cli"); err != nil {
				t.Fatal(err)
			}
		}
		want := []idbridge.Application{dream, {Name: "zeta", DBType: "AAD"}, {Name: "Äpfel", DBType: "AAD"}}
		if diff := cmp.Diff(want, must(b.Applications(ctx))(t)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		dream.Latest = ""
		if err := b.PutApplication(ctx, dream, "cli"); err != nil {
			t.Fatal(err)
		}
		if got := must(b.Application(ctx, "Dream Team"))(t); got != dream {
			t.Errorf("%+v", got)
		}
		for _, bad := range []idbridge.Application{
			{}, {Name: " x"}, {Name: "a\nb"}, {Name: "a\x00"}, {Name: "\xff"}, {Name: strings.Repeat("x", 256)}, {Name: "x", DBType: "aad"},
			{Name: "x", Latest: "31.01.2026"}, {Name: "x", Snapshots: -1}, {Name: "x", Href: "a\r\nb"},
		} {
			if err := b.PutApplication(ctx, bad, "cli"); idbridge.KindOf(err) != idbridge.Invalid {
				t.Errorf("%+v: %v", bad, err)
			}
		}
		if err := b.DeleteApplication(ctx, "Dream Team", "cli"); err != nil {
			t.Fatal(err)
		}
		wantKind(t, b.DeleteApplication(ctx, "Dream Team", "cli"), idbridge.NotFound)
		_, err := b.Application(ctx, "dream team")
		wantKind(t, err, idbridge.NotFound)
		if n := b.actions(); n["application.create"] != 3 || n["application.change"] != 1 || n["application.delete"] != 1 {
			t.Errorf("audit %v", n)
		}
	})
}

func TestSettings(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		ctx := t.Context()
		_, _, _, err := b.Setting(ctx, "publish-target")
		wantKind(t, err, idbridge.NotFound)
		for _, value := range []string{"first", "second \x00\xff", ""} {
			if err := b.PutSetting(ctx, "publish-target", []byte(value), "ann"); err != nil {
				t.Fatal(err)
			}
			got, at, by, err := b.Setting(ctx, "publish-target")
			if string(got) != value || at.IsZero() || at.After(b.clock.now()) || by != "ann" || err != nil {
				t.Errorf("%q at %v by %q, %v", got, at, by, err)
			}
		}
		wantKind(t, b.PutSetting(ctx, "", nil, "ann"), idbridge.Invalid)
		wantKind(t, b.PutSetting(ctx, "x", make([]byte, 64<<10+1), "ann"), idbridge.Invalid)
		if err := b.DeleteSetting(ctx, "publish-target", "ann"); err != nil {
			t.Fatal(err)
		}
		wantKind(t, b.DeleteSetting(ctx, "publish-target", "ann"), idbridge.NotFound)
		if n := b.actions(); n["setting.put"] != 3 || n["setting.delete"] != 1 {
			t.Errorf("audit %v", n)
		}
	})
}

func signer(t testing.TB, id string) idbridge.SigningKey {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: must(x509.MarshalPKCS8PrivateKey(private))(t)})
	return idbridge.SigningKey{ID: id, Use: idbridge.SignsRoleTokens, Algorithm: "EdDSA", Private: idbridge.NewSecret(string(text))}
}

func signerIDs(t testing.TB, b *bed) (ids []string) {
	t.Helper()
	for _, k := range must(b.SigningKeys(t.Context(), idbridge.SignsRoleTokens))(t) {
		ids = append(ids, k.ID)
	}
	return ids
}

// TestSigningKeys: a key is known before it signs, and the one before it verifies until no token of it can be left.
func TestSigningKeys(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		ctx := t.Context()
		first := signer(t, "first")
		if err := b.AddSigningKey(ctx, first); err != nil {
			t.Fatal(err)
		}
		wantKind(t, b.AddSigningKey(ctx, first), idbridge.Exists)
		next := signer(t, "next")
		next.SignFrom = b.clock.now().Add(time.Hour)
		if err := b.AddSigningKey(ctx, next); err != nil {
			t.Fatal(err)
		}
		keys := must(b.SigningKeys(ctx, idbridge.SignsRoleTokens))(t)
		if len(keys) != 2 || keys[0].Private.Reveal() != first.Private.Reveal() || keys[1].Private.Reveal() != next.Private.Reveal() ||
			!keys[0].Until.Equal(next.SignFrom.Add(idbridge.SessionLife)) || !keys[1].Until.IsZero() || keys[0].SignFrom.IsZero() {
			t.Errorf("keys %+v", keys)
		}
		if other := must(b.SigningKeys(ctx, idbridge.SignsControl))(t); len(other) != 0 {
			t.Errorf("keys of another use: %+v", other)
		}
		b.clock.advance(12 * time.Hour)
		if diff := cmp.Diff([]string{"first", "next"}, signerIDs(t, b)); diff != "" {
			t.Error(diff)
		}
		b.clock.advance(2 * time.Hour)
		if diff := cmp.Diff([]string{"next"}, signerIDs(t, b)); diff != "" {
			t.Error(diff)
		}
		if err := b.AddSigningKey(ctx, signer(t, "third")); err != nil {
			t.Fatal(err)
		}
		if n := b.rows("signing_key", "1 = 1"); n != 2 {
			t.Errorf("%d keys are kept", n)
		}
		for name, change := range map[string]func(*idbridge.SigningKey){
			"no id":         func(k *idbridge.SigningKey) { k.ID = "" },
			"unknown use":   func(k *idbridge.SigningKey) { k.Use = "x" },
			"wrong alg":     func(k *idbridge.SigningKey) { k.Algorithm = "RS512" },
			"no PEM":        func(k *idbridge.SigningKey) { k.Private = idbridge.NewSecret("x") },
			"two PEM":       func(k *idbridge.SigningKey) { k.Private = idbridge.NewSecret(k.Private.Reveal() + k.Private.Reveal()) },
			"ends too soon": func(k *idbridge.SigningKey) { k.SignFrom, k.Until = b.clock.now().Add(time.Hour), b.clock.now() },
		} {
			k := signer(t, "bad")
			change(&k)
			if err := b.AddSigningKey(ctx, k); idbridge.KindOf(err) != idbridge.Invalid {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

// TestSecretKey: with a secret key the database shows neither signing keys nor settings; what lay open before is closed; and
// under another key they are refused, not forgotten.
func TestSecretKey(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		ctx := t.Context()
		open := func(key string) error {
			b.shut()
			s, err := authstore.Open(ctx, authstore.Config{URL: b.url, SecretKey: idbridge.NewSecret(key)}, b.opts)
			if err != nil {
				b.open()
				return err
			}
			b.Store = s
			b.lead.Epoch = must(s.Lead(ctx, time.Hour))(t)
			return nil
		}
		key := base64.StdEncoding.EncodeToString([]byte("0123456789abcdef0123456789abcdef"))
		old, secrets := signer(t, "old"), []string{"planted-one", "planted-two"}
		check := func(want int) {
			t.Helper()
			body := strings.Split(old.Private.Reveal(), "\n")[1]
			if found := b.traces(body, secrets[0], secrets[1]); len(found) != want {
				t.Errorf("the database shows %v", found)
			}
		}
		for i, err := range []error{b.AddSigningKey(ctx, old), b.PutSetting(ctx, "one", []byte(secrets[0]), "cli")} {
			if err != nil {
				t.Fatal(i, err)
			}
		}
		check(2)
		if err := open(key); err != nil {
			t.Fatal(err)
		}
		if err := b.PutSetting(ctx, "two", []byte(secrets[1]), "cli"); err != nil {
			t.Fatal(err)
		}
		check(0)
		read := func() error {
			keys, err := b.SigningKeys(ctx, idbridge.SignsRoleTokens)
			if err == nil && keys[0].Private.Reveal() != old.Private.Reveal() {
				t.Error("another key")
			}
			for i, name := range []string{"one", "two"} {
				value, _, _, other := b.Setting(ctx, name)
				if (err == nil) != (other == nil) || err == nil && string(value) != secrets[i] {
					t.Errorf("%s: %q, %v", name, value, other)
				}
			}
			return err
		}
		if err := read(); err != nil {
			t.Error(err)
		}
		for _, other := range []string{"", base64.StdEncoding.EncodeToString(make([]byte, 32))} {
			if err := open(other); err != nil {
				t.Fatal(err)
			}
			wantKind(t, read(), idbridge.Unavailable)
		}
		if err := open(key); err != nil || read() != nil {
			t.Errorf("back under the first key: %v", err)
		}
		b.ask(`UPDATE setting SET value = (SELECT value FROM setting WHERE name = 'one') WHERE name = 'two'`)
		_, _, _, err := b.Setting(ctx, "two")
		wantKind(t, err, idbridge.Internal)
		for _, bad := range []string{"short", base64.StdEncoding.EncodeToString([]byte("31 octets are too few for a key"))} {
			if err := open(bad); idbridge.KindOf(err) != idbridge.Invalid || strings.Contains(fmt.Sprintf("%+v", err), bad) {
				t.Errorf("%v", err)
			}
		}
		if n := b.actions()["secrets.close"]; n != 2 {
			t.Errorf("%d audit rows", n)
		}
	})
}

// TestBootstrapAdmin: of many who would be the first administrator one is, and one who cannot act is none.
func TestBootstrapAdmin(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		ctx := t.Context()
		logins := make([]string, 20)
		for i := range logins {
			logins[i] = fmt.Sprint("user", i)
		}
		ids := b.create(logins...)
		gone := b.create("gone")[0]
		if err := b.GrantRole(ctx, gone, idbridge.Admin, "", "cli"); err != nil {
			t.Fatal(err)
		}
		b.commit(b.about("id-gone", idbridge.Step{Verb: idbridge.Suspend, Why: "left"}))
		_, err := b.BootstrapAdmin(ctx, gone, "gone")
		wantKind(t, err, idbridge.Forbidden)
		_, err = b.BootstrapAdmin(ctx, 4711, "nobody")
		wantKind(t, err, idbridge.NotFound)

		won := make([]bool, len(ids))
		var group sync.WaitGroup
		for i := range ids {
			group.Go(func() {
				already, err := b.BootstrapAdmin(ctx, ids[i], logins[i])
				won[i] = err == nil
				if already || err != nil && idbridge.KindOf(err) != idbridge.Conflicting {
					t.Errorf("%v, %v", already, err)
				}
			})
		}
		group.Wait()
		first := slices.Index(won, true)
		members := must(b.RoleMembers(ctx, idbridge.Admin, "", 0, 100))(t)
		if first < 0 || slices.Contains(won[first+1:], true) || len(members) != 2 {
			t.Fatalf("won %v, members %+v", won, members)
		}
		if a := must(b.Access(ctx, ids[first]))(t); !a.Has(idbridge.Admin, "") || a.Grants[0].Directory != "" {
			t.Errorf("access %+v", a)
		}
		if already, err := b.BootstrapAdmin(ctx, ids[first], "again"); !already || err != nil {
			t.Errorf("once more: %v, %v", already, err)
		}
		if n := b.actions()["admin.bootstrap"]; n != 1 {
			t.Errorf("%d audit rows", n)
		}
		b.seal()
		b.whole()
	})
}
