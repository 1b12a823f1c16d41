package httpapi_test

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"net/url"
	"testing"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/httpapi"
	"github.com/idbridge/idbridge/httpapi/credential"
)

// TestPepperedKeys: who asks about a key gets the answer that its owner would get at the door.
func TestPepperedKeys(t *testing.T) {
	b := newBed(t, func(c *httpapi.Config) {
		c.Resolver = credential.New(credential.Config{Store: c.Store, Sessions: c.Store, Peppers: map[string]idbridge.Secret{"p1": idbridge.NewSecret("salt and more")}})
	})
	b.person("ann")
	b.service("app", idbridge.SuperConsumer)
	for pepper, works := range map[string]bool{"p1": true, "unknown": false} {
		text, err := idbridge.NewKeyText(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		mac := hmac.New(sha256.New, []byte("salt and more"))
		mac.Write([]byte(text.Plain()))
		_, err = b.store.CreateKey(t.Context(), idbridge.Key{
			ID: text.ID(), User: b.ids["ann"], Slot: idbridge.PrimarySlot, Digest: mac.Sum(nil), Pepper: pepper, Scopes: []string{"*"},
		}, "test")
		if err != nil {
			t.Fatal(err)
		}
		if got := b.do("GET", "/api/v1/whoami", "", "X-API-KEY", text.Plain()).status == 200; got != works {
			t.Errorf("%s at the door: %v", pepper, got)
		}
		if got := b.as("app", "POST", "/api/v1/keys/verify", `{"key":"`+text.Native()+`"}`).want(200).json()["valid"]; got != works {
			t.Errorf("%s in verify: %v", pepper, got)
		}
		if got := b.form("app", "/oauth2/introspect", url.Values{"token": {text.Native()}}).want(200).json()["active"]; got != works {
			t.Errorf("%s in introspection: %v", pepper, got)
		}
	}
}
