package httpapi

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/httpapi/credential"
	"github.com/idbridge/idbridge/httpapi/problem"
)

type myKeyInput struct {
	IfNoneMatch string `header:"If-None-Match"`
}

type keyOutput struct {
	Status int
	ETag   string `header:"ETag"`
	Body   *keyView
}

func (s *Server) myKey(ctx context.Context, who *credential.Caller, in *myKeyInput) (*keyOutput, error) {
	k, err := s.primary(ctx, who.User())
	if err != nil {
		return nil, err
	}
	if k == nil {
		return nil, errNoKey()
	}
	tag := etag(k.Version)
	if in.IfNoneMatch != "" && matches(in.IfNoneMatch, tag, true) {
		return &keyOutput{Status: http.StatusNotModified, ETag: tag}, nil
	}
	return &keyOutput{Status: http.StatusOK, ETag: tag, Body: s.viewKey(k)}, nil
}

// newKeyView is the one answer that holds a key's secret.
type newKeyView struct {
	ID         idbridge.KeyID    `json:"id"`
	Key        string            `json:"key" doc:"Shown once, now."`
	Renderings renderings        `json:"renderings" doc:"The same key in three spellings; each opens every door."`
	State      idbridge.KeyState `json:"state"`
	Scopes     []string          `json:"scopes"`
	CreatedAt  *time.Time        `json:"createdAt"`
	ExpiresAt  *time.Time        `json:"expiresAt"`
}

type renderings struct {
	Native string `json:"native"`
	Dotted string `json:"dotted"`
	Plain  string `json:"plain"`
}

type newKeyInput struct {
	OnceHeader

	Body *struct{} `doc:"Nothing can be chosen here; an empty object, or no body."`
}

type newKeyOutput struct {
	ETag     string `header:"ETag"`
	Location string `header:"Location"`
	Body     newKeyView
}

// firstVersion is the entity tag of what was just made.
const firstVersion = 1

// mint refuses a caller who may not make keys: a key mints no keys, and generating needs its permission.
func (s *Server) mint(who *credential.Caller) error {
	if !who.MayMint(string(KeysAdmin)) {
		return problem.New(problem.KeyCannotMint, "")
	}
	for _, role := range slices.Concat(s.roles[KeysGenerate], s.roles[KeysAdmin]) {
		if who.Has(role) {
			return nil
		}
	}
	return problem.New(problem.Forbidden, "")
}

// makeMyKey draws a key, stores its digest and shows it once. The key before it dies in the same transaction.
func (s *Server) makeMyKey(ctx context.Context, who *credential.Caller, in *newKeyInput) (*newKeyOutput, error) {
	if err := s.mint(who); err != nil {
		return nil, err
	}
	if err := s.complete(ctx, who.User()); err != nil {
		return nil, err
	}
	o, err := s.newOnce(in.OnceHeader, who.User(), "POST /me/key")
	if err != nil {
		return nil, err
	}
	key := idbridge.Key{
		User: who.User(), Slot: idbridge.PrimarySlot, Enabled: true, Created: s.config.Now(), CreatedBy: by(who), Scopes: ownScopes(who),
	}
	made, err := s.issue(ctx, key, o, s.create(by(who)))
	if err != nil {
		return nil, err
	}
	return &newKeyOutput{ETag: etag(firstVersion), Location: base + "/me/key", Body: *made}, nil
}

// ownScopes are the scopes of a key when none are asked for: never more than its maker's credential has.
func ownScopes(who *credential.Caller) []string {
	if who.Key != "" {
		return who.Scopes
	}
	return []string{credential.AllScopes}
}

// complete refuses to make a key for a person whose profile lacks what a key needs. Errors: 404, 409.
func (s *Server) complete(ctx context.Context, id idbridge.UserID) error {
	u, err := s.config.Store.User(ctx, id)
	if err != nil {
		return err
	}
	if gaps := missing(&u); len(gaps) > 0 {
		p := problem.New(problem.ProfileIncomplete, "")
		p.Missing = gaps
		return p
	}
	return nil
}

// RotateBody says how long the old key is good beside the new one.
type RotateBody struct {
	OverlapSeconds int64 `json:"overlapSeconds,omitempty" minimum:"0" maximum:"2592000" doc:"So long both keys are good; default 0, at most 30 days."`
}

func (r *RotateBody) overlap() time.Duration {
	if r == nil {
		return 0
	}
	return time.Duration(r.OverlapSeconds) * time.Second
}

type rotateMyKeyInput struct {
	OnceHeader

	Body *RotateBody
}

// rotateMyKey puts a new key in the place of the own primary one.
func (s *Server) rotateMyKey(ctx context.Context, who *credential.Caller, in *rotateMyKeyInput) (*newKeyOutput, error) {
	k, err := s.primary(ctx, who.User())
	if err != nil {
		return nil, err
	}
	o, err := s.newOnce(in.OnceHeader, who.User(), "POST /me/key/rotate", in.Body.overlap())
	if err != nil {
		return nil, err
	}
	if k == nil {
		return nil, errNoKey()
	}
	return s.rotate(ctx, who, k, in.Body.overlap(), o, "/me/key")
}

type deleteKeyInput struct {
	IfMatch string `header:"If-Match"`
}

func (s *Server) deleteMyKey(ctx context.Context, who *credential.Caller, in *deleteKeyInput) (*struct{}, error) {
	if err := whole(who); err != nil {
		return nil, err
	}
	k, err := s.primary(ctx, who.User())
	if err != nil {
		return nil, err
	}
	if k == nil {
		return nil, errNoKey()
	}
	if err := precondition(in.IfMatch, k.Version, false); err != nil {
		return nil, err
	}
	if err := s.config.Store.RevokeKey(ctx, k.ID, by(who), "deleted by its owner"); err != nil {
		return nil, err
	}
	return &struct{}{}, nil
}
