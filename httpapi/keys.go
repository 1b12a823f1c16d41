package httpapi

import (
	"context"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/httpapi/credential"
	"github.com/idbridge/idbridge/httpapi/problem"
)

// KeyPath names a key.
type KeyPath struct {
	ID string `path:"id" maxLength:"8" doc:"The public part of the key."`
}

// ownKey finds a key that the caller may see: his own, or any with keys.admin. Another's does not exist for him: 404.
func (s *Server) ownKey(ctx context.Context, who *credential.Caller, id string) (*idbridge.Key, error) {
	unknown := problem.New(problem.NotFound, "There is no such key.")
	key, _, err := s.config.Store.KeyAccess(ctx, idbridge.KeyID(id))
	if idbridge.KindOf(err) == idbridge.NotFound && err != nil {
		return nil, unknown
	}
	if err != nil {
		return nil, err
	}
	if key.User != who.User() && !s.may(who, KeysAdmin) {
		return nil, unknown
	}
	keys, err := s.config.Store.Keys(ctx, key.User) // the row itself, with its last use
	if err != nil {
		return nil, err
	}
	for i := range keys {
		if keys[i].ID == key.ID {
			return &keys[i], nil
		}
	}
	return nil, unknown
}

// manages refuses a caller who may not change the key: a credential with all rights of its owner may, keys.admin, and
// the key itself.
func (s *Server) manages(who *credential.Caller, k *idbridge.Key) error {
	if k.User == who.User() && who.How == credential.ByKey && k.ID == who.Key || s.may(who, KeysAdmin) {
		return nil
	}
	return whole(who)
}

type keysInput struct {
	Limit         int               `query:"limit" minimum:"1" maximum:"500" default:"100" doc:"How many at most."`
	Cursor        string            `query:"cursor" maxLength:"64" doc:"Where the page begins, as the one before said in next. Opaque."`
	User          idbridge.UserID   `query:"user" minimum:"1" maximum:"9007199254740991" doc:"Another than oneself needs keys.admin."`
	State         idbridge.KeyState `query:"state" enum:"active,disabled,pending,expired,revoked,rotated"`
	UnusedSince   time.Time         `query:"unusedSince"`
	ExpiresBefore time.Time         `query:"expiresBefore"`
}

type keysOutput struct {
	PageLink
	Body struct {
		Items []*keyView `json:"items"`
		Next  string     `json:"next,omitempty" doc:"The cursor of the next page; absent on the last one."`
	}
}

// listKeys lists keys by id, those that are over included: the own ones, or everybody's with keys.admin.
func (s *Server) listKeys(ctx context.Context, who *credential.Caller, in *keysInput) (*keysOutput, error) {
	page := PageQuery{Limit: in.Limit, Cursor: in.Cursor}
	after, err := page.afterText("keys")
	if err != nil {
		return nil, err
	}
	if !s.may(who, KeysAdmin) {
		if in.User != 0 && in.User != who.User() {
			return nil, problem.New(problem.Forbidden, "")
		}
		in.User = who.User()
	}
	list, err := s.config.Store.FindKeys(ctx, idbridge.KeyFilter{
		User: in.User, State: in.State, UnusedSince: in.UnusedSince, ExpiresBefore: in.ExpiresBefore,
		After: idbridge.KeyID(after), Limit: page.limit() + 1,
	})
	if err != nil {
		return nil, err
	}
	out := &keysOutput{}
	if len(list) > page.limit() {
		list = list[:page.limit()]
		out.Body.Next = nextText("keys", string(list[len(list)-1].ID))
		more := url.Values{"state": {string(in.State)}}
		if in.User != 0 {
			more.Set("user", strconv.FormatInt(int64(in.User), 10))
		}
		for name, t := range map[string]time.Time{"unusedSince": in.UnusedSince, "expiresBefore": in.ExpiresBefore} {
			if !t.IsZero() {
				more.Set(name, t.UTC().Format(time.RFC3339Nano))
			}
		}
		out.Link = s.link("/keys", out.Body.Next, page.limit(), more)
	}
	out.Body.Items = s.viewKeys(list)
	return out, nil
}

func (s *Server) viewKeys(list []idbridge.Key) []*keyView {
	out := make([]*keyView, 0, len(list))
	for i := range list {
		out = append(out, s.viewKey(&list[i]))
	}
	return out
}

type readKeyInput struct {
	KeyPath
	IfNoneMatch string `header:"If-None-Match"`
}

func (s *Server) readKey(ctx context.Context, who *credential.Caller, in *readKeyInput) (*keyOutput, error) {
	k, err := s.ownKey(ctx, who, in.ID)
	if err != nil {
		return nil, err
	}
	if tag := etag(k.Version); in.IfNoneMatch != "" && matches(in.IfNoneMatch, tag, true) {
		return &keyOutput{Status: http.StatusNotModified, ETag: tag}, nil
	}
	return s.keyOutput(k), nil
}

func (s *Server) keyOutput(k *idbridge.Key) *keyOutput {
	return &keyOutput{Status: http.StatusOK, ETag: etag(k.Version), Body: s.viewKey(k)}
}

type addKeyInput struct {
	OnceHeader

	Body *struct {
		User      idbridge.UserID `json:"user,omitempty" minimum:"1" maximum:"9007199254740991" doc:"Default oneself; another needs keys.admin."`
		Slot      string          `json:"slot,omitempty" maxLength:"64" doc:"Default primary. Another name only when users may have several keys."`
		Scopes    []string        `json:"scopes,omitempty" maxItems:"50" doc:"Default *, all rights of the user except minting."`
		Allow     []string        `json:"allow,omitempty" maxItems:"100" doc:"Networks (10.0.0.0/8) or addresses that it may come from; default any."`
		NotBefore time.Time       `json:"notBefore,omitempty"`
		ExpiresAt time.Time       `json:"expiresAt,omitempty"`
	}
}

// addKey makes a key for oneself, or for anybody with keys.admin. The one before it in its slot dies in the same moment.
func (s *Server) addKey(ctx context.Context, who *credential.Caller, in *addKeyInput) (*newKeyOutput, error) {
	key := idbridge.Key{
		User: who.User(), Slot: idbridge.PrimarySlot, Enabled: true, Created: s.config.Now(), CreatedBy: by(who), Scopes: ownScopes(who),
	}
	if b := in.Body; b != nil {
		key.NotBefore, key.Expires, key.Allow = b.NotBefore, b.ExpiresAt, b.Allow
		if b.User != 0 {
			key.User = b.User
		}
		if b.Slot != "" {
			key.Slot = b.Slot
		}
		if b.Scopes != nil {
			key.Scopes = b.Scopes
		}
	}
	if err := s.mintFor(who, key.User); err != nil {
		return nil, err
	}
	if err := s.sensible(who, &key); err != nil {
		return nil, err
	}
	if err := s.complete(ctx, key.User); err != nil {
		return nil, err
	}
	if err := s.room(ctx, &key); err != nil {
		return nil, err
	}
	o, err := s.newOnce(in.OnceHeader, who.User(), "POST /keys", in.Body)
	if err != nil {
		return nil, err
	}
	made, err := s.issue(ctx, key, o, s.create(by(who)))
	if err != nil {
		return nil, err
	}
	return &newKeyOutput{ETag: etag(firstVersion), Location: base + "/keys/" + url.PathEscape(string(made.ID)), Body: *made}, nil
}

// mintFor refuses a caller who may not make keys of the user.
func (s *Server) mintFor(who *credential.Caller, user idbridge.UserID) error {
	if err := s.mint(who); err != nil {
		return err
	}
	if user != who.User() && !s.may(who, KeysAdmin) {
		return problem.New(problem.Forbidden, "")
	}
	return nil
}

// sensible checks what was chosen for a key. Error: 422.
func (s *Server) sensible(who *credential.Caller, k *idbridge.Key) error {
	p := problem.New(problem.Invalid, "")
	if strings.ContainsFunc(k.Slot, forbiddenRune) || strings.TrimSpace(k.Slot) != k.Slot {
		p.At("body.slot", "is not a name")
	}
	if len(k.Scopes) == 0 {
		p.At("body.scopes", "a key without a scope is good for nothing")
	}
	for i, scope := range k.Scopes {
		at := "body.scopes[" + strconv.Itoa(i) + "]"
		switch {
		case scope == "" || len(scope) > maxName || strings.ContainsFunc(scope, func(r rune) bool { return r <= ' ' || r > '~' || r == '"' || r == '\\' }):
			p.At(at, "is not a scope") // RFC 6749, section 3.3
		case !carries(who, scope):
			p.At(at, "the credential that makes the key does not have it itself")
		}
	}
	for i, network := range k.Allow {
		_, err := netip.ParsePrefix(network)
		if _, one := netip.ParseAddr(network); err != nil && one != nil {
			p.At("body.allow["+strconv.Itoa(i)+"]", "is neither a network nor an address")
		}
	}
	if !k.Expires.IsZero() && (!k.Expires.After(s.config.Now()) || !k.Expires.After(k.NotBefore)) {
		p.At("body.expiresAt", "is over already")
	}
	if len(p.Errors) > 0 {
		return p
	}
	return nil
}

// carries tells whether the credential has the scope to give away: minting only when it was told so by name.
func carries(who *credential.Caller, scope string) bool {
	if scope == string(KeysAdmin) {
		return who.MayMint(scope)
	}
	return who.Scoped(scope)
}

// room refuses a named key when its owner has as many as he may have.
func (s *Server) room(ctx context.Context, k *idbridge.Key) error {
	if k.Slot == idbridge.PrimarySlot {
		return nil
	}
	keys, err := s.config.Store.Keys(ctx, k.User)
	if err != nil {
		return err
	}
	slots := map[string]bool{idbridge.PrimarySlot: true, k.Slot: true} // the primary one has its place always
	for i := range keys {
		if state := keys[i].State(s.config.Now()); state != idbridge.KeyRevoked && state != idbridge.KeyRotated {
			slots[keys[i].Slot] = true
		}
	}
	if len(slots) > s.config.KeysPerUser {
		return problem.New(problem.Conflict, "The user has as many keys as one may have.")
	}
	return nil
}

type rotateKeyInput struct {
	KeyPath
	OnceHeader

	Body *RotateBody
}

func (s *Server) rotateKey(ctx context.Context, who *credential.Caller, in *rotateKeyInput) (*newKeyOutput, error) {
	k, err := s.ownKey(ctx, who, in.ID)
	if err != nil {
		return nil, err
	}
	o, err := s.newOnce(in.OnceHeader, who.User(), "POST /keys/rotate", k.ID, in.Body.overlap())
	if err != nil {
		return nil, err
	}
	return s.rotate(ctx, who, k, in.Body.overlap(), o, "")
}

// rotate puts a new key in the place of one; it is where location says, "" for its own place. A key in overlap was rotated
// already.
func (s *Server) rotate(
	ctx context.Context, who *credential.Caller, k *idbridge.Key, overlap time.Duration, o *once, location string,
) (*newKeyOutput, error) {
	if err := s.mintFor(who, k.User); err != nil {
		return nil, err
	}
	if slices.ContainsFunc(k.Scopes, func(scope string) bool { return !carries(who, scope) }) {
		return nil, problem.New(problem.Forbidden, "The key has scopes that the credential does not have.")
	}
	fresh := idbridge.Key{User: k.User, Slot: k.Slot, Enabled: true, Created: s.config.Now(), CreatedBy: by(who)}
	made, err := s.issue(ctx, fresh, o, s.replace(k.ID, overlap, by(who)))
	if err != nil {
		return nil, err
	}
	if location == "" {
		location = "/keys/" + url.PathEscape(string(made.ID))
	}
	return &newKeyOutput{ETag: etag(firstVersion), Location: base + location, Body: *made}, nil
}
