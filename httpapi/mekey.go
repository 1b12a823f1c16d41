package httpapi

import (
	"context"
	"fmt"
	"net/http"
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
	Body *struct{} `doc:"Nothing can be chosen yet; an empty object, or no body."`
}

type newKeyOutput struct {
	ETag     string `header:"ETag"`
	Location string `header:"Location"`
	Body     newKeyView
}

// mint refuses a caller who may not make keys: a key mints no keys, and generating needs its permission.
func (s *Server) mint(who *credential.Caller) error {
	if !who.MayMint(string(KeysAdmin)) {
		return problem.New(problem.KeyCannotMint, "")
	}
	for _, role := range s.roles[KeysGenerate] {
		if who.Has(role) {
			return nil
		}
	}
	return problem.New(problem.Forbidden, "")
}

// makeMyKey draws a key, stores its digest and shows it once. The key before it dies in the same transaction.
func (s *Server) makeMyKey(ctx context.Context, who *credential.Caller, _ *newKeyInput) (*newKeyOutput, error) {
	if err := s.mint(who); err != nil {
		return nil, err
	}
	u, err := s.config.Store.User(ctx, who.User())
	if err != nil {
		return nil, err
	}
	if gaps := missing(&u); len(gaps) > 0 {
		p := problem.New(problem.ProfileIncomplete, "")
		p.Missing = gaps
		return nil, p
	}
	scopes := []string{credential.AllScopes}
	if who.How == credential.ByKey {
		scopes = who.Scopes // never more than its maker's
	}
	text, key, err := s.newKey(ctx, u.ID, scopes, by(who))
	if err != nil {
		return nil, err
	}
	return &newKeyOutput{ETag: etag(key.Version), Location: base + "/me/key", Body: newKeyView{
		ID: key.ID, Key: text.Native(), Renderings: renderings{text.Native(), text.Dotted(), text.Plain()}, State: key.State(s.config.Now()),
		Scopes: nonNil(key.Scopes), CreatedAt: moment(key.Created), ExpiresAt: moment(key.Expires),
	}}, nil
}

// newKey draws until the store takes the id: 62⁸ ids make a second draw a rarity, and a third one a fault.
func (s *Server) newKey(ctx context.Context, user idbridge.UserID, scopes []string, by string) (idbridge.KeyText, idbridge.Key, error) {
	var last error
	for range 3 {
		text, err := idbridge.NewKeyText(s.random)
		if err != nil {
			return text, idbridge.Key{}, fmt.Errorf("make a key: %w", err)
		}
		key, err := s.config.Store.CreateKey(ctx, idbridge.Key{
			ID: text.ID(), User: user, Slot: idbridge.PrimarySlot, Digest: text.Digest(), Enabled: true, Created: s.config.Now(), CreatedBy: by,
			Scopes: scopes,
		}, by)
		if err == nil || idbridge.KindOf(err) != idbridge.Exists {
			return text, key, err
		}
		last = err
	}
	return idbridge.KeyText{}, idbridge.Key{}, fmt.Errorf("make a key: %w", last)
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
