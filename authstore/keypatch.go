package authstore

import (
	"context"
	"net/netip"
	"slices"
	"strings"

	"github.com/idbridge/idbridge"
)

// PatchKey changes what limits a key. Whether the asker may widen it is the caller's question. Errors: NotFound, Invalid,
// Conflicting when IfVersion is not the key's, or the key is over.
func (s *Store) PatchKey(ctx context.Context, id idbridge.KeyID, p idbridge.KeyPatch, by string) (idbridge.Key, error) {
	var k idbridge.Key
	allow, err := networks(p.Allow)
	if err != nil {
		return k, fault("change key", err)
	}
	if p.Scopes != nil && len(p.Scopes) == 0 {
		return k, fault("change key", invalid("a key needs a scope", `"*" is all rights of its user`))
	}
	err = s.tx(ctx, "change key", "store.keypatch", func(t *tx) error {
		if k, err = t.lockKey(ctx, id); err != nil {
			return err
		}
		if err := dead(&k, t.now); err != nil {
			return err
		}
		if p.IfVersion != 0 && p.IfVersion != k.Version {
			return &idbridge.Error{Kind: idbridge.Conflicting, Msg: "the key was changed meanwhile", Hint: "read again and repeat"}
		}
		changed := patchKey(&k, &p, allow)
		if len(changed) == 0 {
			return nil
		}
		k.Version++
		b := newBatch(updateRows, "keys", "id", "not_before:n expires:n scopes allow version:n")
		b.add(pack(string(id)), micros(k.NotBefore), micros(k.Expires), listText(k.Scopes), listText(k.Allow), k.Version)
		return t.changeKey(ctx, b, &k, idbridge.Audit{Actor: by, Action: "key.change", Reason: strings.Join(changed, ", ")})
	})
	return k, err
}

// patchKey makes the changes and returns what differs then.
func patchKey(k *idbridge.Key, p *idbridge.KeyPatch, allow []string) (changed []string) {
	if p.NotBefore != nil && micros(*p.NotBefore) != micros(k.NotBefore) {
		k.NotBefore = moment(micros(*p.NotBefore))
		changed = append(changed, "notBefore")
	}
	if p.Expires != nil && micros(*p.Expires) != micros(k.Expires) {
		k.Expires = moment(micros(*p.Expires))
		changed = append(changed, "expires")
	}
	if p.Scopes != nil && !slices.Equal(p.Scopes, k.Scopes) {
		k.Scopes = p.Scopes
		changed = append(changed, "scopes")
	}
	if p.Allow != nil && !slices.Equal(allow, k.Allow) {
		k.Allow = allow
		changed = append(changed, "allow")
	}
	return changed
}

// networks reads a list of networks and addresses; each comes out as a network in its canonical form. nil stays nil.
func networks(list []string) ([]string, error) {
	var out []string
	for _, text := range list {
		network, err := netip.ParsePrefix(text)
		if err != nil {
			var address netip.Addr
			if address, err = netip.ParseAddr(text); err == nil && address.Zone() == "" {
				network = netip.PrefixFrom(address.Unmap(), address.Unmap().BitLen())
			}
		}
		if !network.IsValid() {
			return nil, invalid("not a network: "+prose(text), "write for example 10.0.0.0/8 or 192.0.2.7")
		}
		if network.Addr().Is4In6() && network.Bits() >= 96 {
			network = netip.PrefixFrom(network.Addr().Unmap(), network.Bits()-96)
		}
		out = append(out, network.Masked().String())
	}
	return out, nil
}

// ImportKey stores a key that was made elsewhere, beside nothing: whose owner has a key in that slot keeps that one. Errors:
// NotFound (no such user), Invalid, Exists (the id is taken, or was once), Conflicting (the slot is taken).
func (s *Store) ImportKey(ctx context.Context, k idbridge.Key, by string) (idbridge.Key, error) {
	err := s.tx(ctx, "import key", "store.keyimport", func(t *tx) error {
		u, err := t.newKey(ctx, &k, by)
		if err != nil {
			return err
		}
		var some int
		found, err := one(t.QueryRowContext(ctx, `SELECT 1 FROM keys WHERE user_id = $1 AND slot = $2 AND revoked = 0 AND overlap_until = 0`,
			int64(k.User), pack(k.Slot)), &some)
		if err != nil {
			return err
		}
		if found {
			return &idbridge.Error{
				Kind: idbridge.Conflicting, Msg: "the user has a key already", Hint: "delete that one first, or give this one a name of its own (slot)",
			}
		}
		t.note(idbridge.Audit{Actor: by, Action: "key.import", Target: string(k.ID), User: k.User, Reason: u.UserName()})
		return t.insertKey(ctx, &k)
	})
	return k, err
}
