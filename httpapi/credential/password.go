package credential

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/httpapi/problem"
)

// basic proves Basic credentials: a key of that user in the place of the password, or his password at a directory.
func (v *Resolver) basic(ctx context.Context, claim *Claim, from netip.Addr, now time.Time) (Caller, error) {
	address := network(from)
	directory, name := v.split(claim.Name)
	counted := idbridge.CaseIgnore.Normal(claim.Name)
	text, isKey := idbridge.ParseKeyText(claim.Password.Reveal())
	if isKey {
		c, err := v.key(ctx, text, now)
		if err == nil && idbridge.CaseIgnore.Normal(c.Name()) != idbridge.CaseIgnore.Normal(name) {
			err = Refuse("key of another user")
		}
		if err == nil {
			v.store.Touch(c.Key, from.String(), now)
			return c, nil
		}
		if p := problem.From(err); p.Status >= 500 || text.Genuine() { // a key of ours is never shown to a directory
			return Caller{}, v.failed(p, address, "")
		}
	}
	if claim.Password.IsEmpty() { // a bind without a password succeeds as anonymous (RFC 4513, 5.1.2)
		return Caller{}, v.failed(Refuse("empty password"), address, counted)
	}
	if wait := v.limiter.Wait(address, counted, v.now()); wait > 0 {
		return Caller{}, tooMany(wait).Because(&idbridge.Error{Kind: idbridge.Unauthentic, Msg: "waits after failures"})
	}
	c, err := v.password(ctx, directory, name, claim.Password)
	if err != nil {
		return Caller{}, v.failed(err, address, counted)
	}
	v.limiter.Succeeded(address, counted)
	return c, nil
}

// password tries the password at the directories that the user is linked to, at all of them when nobody has the name, so
// that an unknown name costs what a known one does.
func (v *Resolver) password(ctx context.Context, directory, name string, password idbridge.Secret) (Caller, error) {
	access, err := v.store.AccessByName(ctx, name)
	if err != nil && idbridge.KindOf(err) != idbridge.NotFound {
		return Caller{}, problem.From(err)
	}
	known := err == nil && access.Exists
	var links []idbridge.Link
	if known {
		if links, err = v.store.Links(ctx, access.User); err != nil {
			return Caller{}, problem.From(err)
		}
	}
	asked := 0
	for i := range v.doors {
		door := &v.doors[i]
		if directory != "" && door.Name != directory || known && !linked(links, door.Name) && len(links) > 0 {
			continue
		}
		asked++
		id, err := v.bind(ctx, i, name, password)
		switch {
		case err == nil && known && owns(links, id):
			if !access.May {
				return Caller{}, Refuse("user is " + access.Why)
			}
			return Caller{How: ByPassword, Access: access}, nil
		case err != nil && idbridge.KindOf(err) != idbridge.Unauthentic && !isRefusal(err):
			return Caller{}, problem.New(problem.Unavailable, "").After(downFor).Because(err)
		}
	}
	if v.anyDown() { // while a directory cannot be asked, nobody learns whether a name is known
		return Caller{}, problem.New(problem.Unavailable, "").After(downFor).
			Because(&idbridge.Error{Kind: idbridge.Unavailable, Msg: "a directory that checks passwords is down"})
	}
	switch {
	case !known:
		return Caller{}, Refuse("unknown user")
	case asked == 0:
		return Caller{}, Refuse("user has no directory that checks passwords")
	}
	return Caller{}, Refuse("wrong password")
}

// isRefusal tells a directory's no from trouble: kinds that say nothing about reachability count as a no.
func isRefusal(err error) bool {
	k := idbridge.KindOf(err)
	return k == idbridge.NotFound || k == idbridge.Forbidden || k == idbridge.Refused
}

// bind asks one directory, within bindLimit, at most maxBinds at once.
func (v *Resolver) bind(ctx context.Context, door int, name string, password idbridge.Secret) (idbridge.ExternalID, error) {
	place := time.NewTimer(bindWait)
	defer place.Stop()
	select {
	case v.binding <- struct{}{}:
		defer func() { <-v.binding }()
	case <-place.C:
		return idbridge.ExternalID{}, &idbridge.Error{Kind: idbridge.Unavailable, Msg: "too many sign-ins at once"}
	case <-ctx.Done():
		return idbridge.ExternalID{}, ctx.Err()
	}
	limited, cancel := context.WithTimeout(ctx, bindLimit)
	defer cancel()
	id, err := v.doors[door].Auth.Authenticate(limited, name, password.Reveal())
	switch {
	case err == nil, idbridge.KindOf(err) == idbridge.Unauthentic, isRefusal(err):
		v.down[door].Store(0)
	case !errors.Is(ctx.Err(), context.Canceled): // a client that went away says nothing about the directory
		v.down[door].Store(v.now().UnixNano())
	}
	return id, err
}

func (v *Resolver) anyDown() bool {
	since := v.now().Add(-downFor).UnixNano()
	for i := range v.down {
		if v.down[i].Load() > since {
			return true
		}
	}
	return false
}

func linked(links []idbridge.Link, directory string) bool {
	for i := range links {
		if links[i].ID.Directory == directory {
			return true
		}
	}
	return false
}

func owns(links []idbridge.Link, id idbridge.ExternalID) bool {
	for i := range links {
		if links[i].ID == id {
			return true
		}
	}
	return false
}
