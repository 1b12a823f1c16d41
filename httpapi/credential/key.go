package credential

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"net/netip"
	"time"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/httpapi/problem"
)

// key proves a key: one lookup by id, one comparison in constant time, then the key's state, its owner's, and where it
// comes from.
func (v *Resolver) key(ctx context.Context, text idbridge.KeyText, from netip.Addr, now time.Time, into *Caller) error {
	key, access, err := v.store.KeyAccess(ctx, text.ID())
	if err != nil && idbridge.KindOf(err) != idbridge.NotFound {
		return problem.From(err)
	}
	if !v.matches(text, &key) || err != nil { // compared also when the id is unknown: the same time for both
		return Refuse("unknown key")
	}
	if err := usable(&key, &access, from, now); err != nil {
		return err
	}
	into.How, into.Access, into.Key, into.Scopes, into.Expires = ByKey, access, key.ID, key.Scopes, key.Expires
	return nil
}

// usable tells whether a key whose secret is known, or was when a session began with it, is good from there now.
func usable(key *idbridge.Key, access *idbridge.Access, from netip.Addr, now time.Time) error {
	switch state := key.State(now); {
	case state == idbridge.KeyRotated:
		return refuse(&Refusal{Action: RefusedReuse, Why: "key " + string(key.ID) + " is rotated", User: key.User, Key: key.ID})
	case state != idbridge.KeyActive:
		return refuseKey(key, "key "+string(key.ID)+" is "+string(state))
	case !access.Exists || !access.May:
		return refuseKey(key, "owner of key "+string(key.ID)+" is "+access.Why)
	case !key.Admits(from):
		return refuseKey(key, "key "+string(key.ID)+" may not come from this address")
	}
	return nil
}

func refuseKey(key *idbridge.Key, why string) error {
	return refuse(&Refusal{Action: RefusedSignIn, Why: why, User: key.User, Key: key.ID})
}

// matches compares the key's digest with that of the text, made with the pepper that the key names. A pepper that the config
// does not know matches nothing.
func (v *Resolver) matches(text idbridge.KeyText, key *idbridge.Key) bool {
	if key.Pepper == "" {
		return text.Matches(key.Digest)
	}
	pepper, ok := v.config.Peppers[key.Pepper]
	mac := hmac.New(sha256.New, []byte(pepper.Reveal()))
	_, _ = mac.Write([]byte(text.Plain())) // never fails
	return hmac.Equal(mac.Sum(nil), key.Digest) && ok && !pepper.IsEmpty()
}
