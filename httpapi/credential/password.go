package credential

import (
	"context"
	"encoding/hex"
	"errors"
	"io"
	"net/netip"
	"time"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/httpapi/problem"
)

// basic proves Basic credentials: a key of that user in the place of the password, or his password.
func (v *Resolver) basic(ctx context.Context, claim *Claim, from netip.Addr, now time.Time, into *Caller) error {
	text, isKey := idbridge.ParseKeyText(claim.Password.Reveal())
	if isKey {
		_, name := v.split(claim.Name)
		err := v.key(ctx, text, from, now, into)
		if err == nil && idbridge.CaseIgnore.Normal(into.Name()) != idbridge.CaseIgnore.Normal(name) {
			err = refuse(&Refusal{Action: RefusedSignIn, Why: "key of another user", User: into.User(), Key: into.Key})
		}
		if err == nil {
			v.store.Touch(into.Key, from.String(), now)
			return nil
		}
		*into = Caller{}
		if p := problem.From(err); p.Status >= 500 || text.Genuine() { // a key of ours is never shown to a directory
			return v.failed(p, network(from), "")
		}
	}
	access, err := v.Login(ctx, claim.Name, claim.Password, from)
	if err != nil {
		return err
	}
	into.How, into.Access = ByPassword, access
	return nil
}

// Login proves a user name and a password: against the local hash of a user whom no directory knows, else by bind at his
// directories. All doors come through here, so that failures are counted together. Errors: *problem.Problem: one 401 for an
// unknown name, a wrong password and a user who may not act, with the same work behind it; 429, unasked, while the name
// waits at this address; 503 while a directory cannot be asked, or too many sign in at once.
func (v *Resolver) Login(ctx context.Context, name string, password idbridge.Secret, from netip.Addr) (idbridge.Access, error) {
	address := network(from)
	directory, user := v.split(name)
	counted := idbridge.CaseIgnore.Normal(name)
	if name == "" || password.IsEmpty() || len(name)+len(password.Reveal()) > maxBasic { // a bind without a password succeeds as anonymous (RFC 4513, 5.1.2)
		return idbridge.Access{}, v.failed(Refuse("empty or oversized name or password"), address, counted)
	}
	if wait := v.limiter.Wait(address, counted, v.now()); wait > 0 {
		return idbridge.Access{}, tooMany(wait).Because(&Refusal{Action: RefusedSignIn, Why: "waits after failures"})
	}
	access, err := v.password(ctx, directory, user, password)
	if err != nil {
		return idbridge.Access{}, v.failed(err, address, counted)
	}
	v.limiter.Succeeded(address, counted)
	return access, nil
}

// candidate is whom a name may mean, and how his password can be checked.
type candidate struct {
	directory string // that the name chose, "" for any
	name      string
	known     bool
	access    idbridge.Access
	links     []idbridge.Link
	hash      idbridge.Secret // of the local password; empty for none
}

// password proves a password. Whoever the name means, or nobody, there is one hash to compute and somebody to bind as, so
// that an answer's time does not tell who is known.
func (v *Resolver) password(ctx context.Context, directory, name string, password idbridge.Secret) (idbridge.Access, error) {
	c, err := v.candidate(ctx, directory, name)
	if err != nil {
		return idbridge.Access{}, problem.From(err)
	}
	ok := false
	if v.config.Hasher != nil {
		if ok, err = v.config.Hasher.Verify(ctx, password, c.hash); err != nil {
			return idbridge.Access{}, problem.From(err)
		}
	}
	if ok && c.access.May {
		return c.access, nil
	}
	why := "wrong password"
	asked, bound, err := v.bindAll(ctx, c, password)
	switch {
	case err != nil:
		return idbridge.Access{}, problem.New(problem.Unavailable, "").After(downFor).Because(err)
	case bound && c.access.May:
		return c.access, nil
	case bound || ok:
		why = "user is " + c.access.Why
	case !c.known:
		why = "unknown user"
	case !asked && c.hash.IsEmpty():
		why = "user has no password here"
	}
	if !bound && v.anyDown() { // while a directory cannot be asked, nobody learns whether a name is known
		return idbridge.Access{}, problem.New(problem.Unavailable, "").After(downFor).
			Because(&idbridge.Error{Kind: idbridge.Unavailable, Msg: "a directory that checks passwords is down"})
	}
	return idbridge.Access{}, refuse(&Refusal{Action: RefusedSignIn, Why: why, User: c.access.User})
}

// candidate finds whom a name means. A local password is good for a person whom no directory knows, and for nobody else:
// what a directory took away must not live on here.
func (v *Resolver) candidate(ctx context.Context, directory, name string) (*candidate, error) {
	c := &candidate{directory: directory, name: name}
	access, err := v.store.AccessByName(ctx, name)
	switch {
	case idbridge.KindOf(err) == idbridge.NotFound && err != nil, err == nil && !access.Exists:
		return c, nil
	case err != nil:
		return nil, err
	}
	c.known, c.access = true, access
	if c.links, err = v.store.Links(ctx, access.User); err != nil {
		return nil, err
	}
	if len(c.links) > 0 || directory != "" || access.Kind == idbridge.Service || v.config.Passwords == nil {
		return c, nil
	}
	owner, hash, err := v.config.Passwords.Password(ctx, name)
	switch {
	case err != nil && idbridge.KindOf(err) == idbridge.NotFound:
	case err != nil:
		return nil, err
	case owner == access.User:
		c.hash = hash
	}
	return c, nil
}

// bindAll tries the password at the directories that the user is linked to, at all of them when nobody has the name. Where
// there is nothing to try, a name that nobody has is asked for instead, so that it takes as long: the password of a local
// user is shown to no directory. asked tells whether the password itself was tried.
func (v *Resolver) bindAll(ctx context.Context, c *candidate, password idbridge.Secret) (asked, bound bool, err error) {
	for i := range v.doors {
		door := &v.doors[i]
		if c.directory != "" && door.Name != c.directory || c.known && !linked(c.links, door.Name) {
			continue
		}
		asked = true
		id, err := v.bind(ctx, i, c.name, password)
		switch {
		case err == nil && c.known && owns(c.links, id):
			return true, true, nil
		case err != nil && !isRefusal(err):
			return true, false, err
		}
	}
	for i := range v.doors {
		if asked || c.directory != "" && v.doors[i].Name != c.directory {
			continue
		}
		name, other, err := v.decoy()
		if err != nil {
			return false, false, err
		}
		if _, err := v.bind(ctx, i, name, other); err != nil && !isRefusal(err) {
			return false, false, err
		}
	}
	return asked, false, nil
}

// decoy draws a name that nobody has, and a password.
func (v *Resolver) decoy() (name string, password idbridge.Secret, err error) {
	var random [16]byte
	if _, err := io.ReadFull(v.config.Random, random[:]); err != nil {
		return "", idbridge.Secret{}, &idbridge.Error{Kind: idbridge.Unavailable, Msg: "no random octets", Err: err}
	}
	text := hex.EncodeToString(random[:])
	return "nobody-" + text[:16], idbridge.NewSecret(text[16:]), nil
}

// isRefusal tells a directory's no from trouble: kinds that say nothing about reachability count as a no.
func isRefusal(err error) bool {
	switch idbridge.KindOf(err) {
	case idbridge.Unauthentic, idbridge.NotFound, idbridge.Forbidden, idbridge.Refused:
		return true
	}
	return false
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
	case err == nil, isRefusal(err):
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
