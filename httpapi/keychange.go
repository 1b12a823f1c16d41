package httpapi

import (
	"bytes"
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/httpapi/credential"
	"github.com/idbridge/idbridge/httpapi/problem"
	"github.com/idbridge/idbridge/httpapi/strict"
)

// patchedTime is a new moment; null lifts the limit. Absent, it is kept.
type patchedTime struct {
	given bool
	at    time.Time
}

// UnmarshalJSON reads null or RFC 3339.
func (p *patchedTime) UnmarshalJSON(b []byte) error {
	p.given = true
	if bytes.Equal(bytes.TrimSpace(b), []byte("null")) {
		return nil
	}
	return strict.Unmarshal(b, &p.at)
}

// Schema describes it in the document.
func (patchedTime) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Format: "date-time", Nullable: true}
}

func (p *patchedTime) pointer() *time.Time {
	if !p.given {
		return nil
	}
	return &p.at
}

type patchKeyInput struct {
	KeyPath
	IfMatch string `header:"If-Match" doc:"Optional: change only this version."`
	Body    struct {
		NotBefore patchedTime `json:"notBefore,omitempty"`
		ExpiresAt patchedTime `json:"expiresAt,omitempty"`
		Scopes    []string    `json:"scopes,omitempty" maxItems:"50"`
		Allow     *[]string   `json:"allow,omitempty" maxItems:"100" doc:"None: from anywhere."`
	}
}

// patchKey changes what limits a key. It takes what making one takes, since a limit can be widened.
func (s *Server) patchKey(ctx context.Context, who *credential.Caller, in *patchKeyInput) (*keyOutput, error) {
	k, err := s.ownKey(ctx, who, in.ID)
	if err != nil {
		return nil, err
	}
	if err := s.mintFor(who, k.User); err != nil {
		return nil, err
	}
	if err := precondition(in.IfMatch, k.Version, false); err != nil {
		return nil, err
	}
	p := idbridge.KeyPatch{NotBefore: in.Body.NotBefore.pointer(), Expires: in.Body.ExpiresAt.pointer(), Scopes: in.Body.Scopes}
	wanted := idbridge.Key{Slot: k.Slot, Scopes: k.Scopes, NotBefore: k.NotBefore, Expires: in.Body.ExpiresAt.at}
	if p.Scopes != nil {
		wanted.Scopes = p.Scopes
	}
	if p.NotBefore != nil {
		wanted.NotBefore = *p.NotBefore
	}
	if in.Body.Allow != nil {
		p.Allow = nonNil(*in.Body.Allow)
		wanted.Allow = p.Allow
	}
	if err := s.sensible(who, &wanted); err != nil {
		return nil, err
	}
	if in.IfMatch != "" {
		p.IfVersion = k.Version
	}
	changed, err := s.config.Store.PatchKey(ctx, k.ID, p, by(who))
	if err != nil {
		return nil, stale(err, in.IfMatch)
	}
	return s.keyOutput(&changed), nil
}

type endKeyInput struct {
	KeyPath
	IfMatch string `header:"If-Match"`
}

// endKey revokes a key for good; one that is revoked already stays as it is.
func (s *Server) endKey(ctx context.Context, who *credential.Caller, in *endKeyInput) (*struct{}, error) {
	k, err := s.ownKey(ctx, who, in.ID)
	if err != nil {
		return nil, err
	}
	if err := s.manages(who, k); err != nil {
		return nil, err
	}
	if err := precondition(in.IfMatch, k.Version, false); err != nil {
		return nil, err
	}
	reason := "deleted by its owner"
	if k.User != who.User() {
		reason = "deleted by an administrator"
	}
	if err := s.config.Store.RevokeKey(ctx, k.ID, by(who), reason); err != nil {
		return nil, err
	}
	return &struct{}{}, nil
}

type switchKeyInput struct{ KeyPath }

func (s *Server) enableKey(ctx context.Context, who *credential.Caller, in *switchKeyInput) (*keyOutput, error) {
	return s.switchKey(ctx, who, in.ID, true)
}

func (s *Server) disableKey(ctx context.Context, who *credential.Caller, in *switchKeyInput) (*keyOutput, error) {
	return s.switchKey(ctx, who, in.ID, false)
}

func (s *Server) switchKey(ctx context.Context, who *credential.Caller, id string, on bool) (*keyOutput, error) {
	k, err := s.ownKey(ctx, who, id)
	if err != nil {
		return nil, err
	}
	if err := s.manages(who, k); err != nil {
		return nil, err
	}
	if err := s.config.Store.SetKeyEnabled(ctx, k.ID, on, by(who)); err != nil {
		return nil, err
	}
	if k, err = s.ownKey(ctx, who, id); err != nil {
		return nil, err
	}
	return s.keyOutput(k), nil
}

type bulkKeysInput struct {
	Body struct {
		User          idbridge.UserID `json:"user,omitempty" minimum:"1" maximum:"9007199254740991"`
		Role          idbridge.Role   `json:"role,omitempty" maxLength:"128" doc:"Of their owners, everywhere or on an application."`
		Directory     string          `json:"directory,omitempty" maxLength:"128" doc:"That their owners are linked to."`
		CreatedBefore time.Time       `json:"createdBefore,omitempty"`
		UnusedSince   time.Time       `json:"unusedSince,omitempty"`
		Reason        string          `json:"reason" minLength:"1" maxLength:"256"`
		DryRun        bool            `json:"dryRun" doc:"True shows what would be revoked and does nothing. Required, so that nobody forgets it."`
	}
}

type bulkKeysOutput struct {
	Body struct {
		DryRun  bool       `json:"dryRun"`
		Revoked int        `json:"revoked" doc:"How many were, or would be."`
		Keys    []*keyView `json:"keys" doc:"The first 1000 of them, as they were before."`
	}
}

// revokeKeys ends every key that all the conditions together select, in one transaction.
func (s *Server) revokeKeys(ctx context.Context, who *credential.Caller, in *bulkKeysInput) (*bulkKeysOutput, error) {
	b := &in.Body
	f := idbridge.KeyFilter{User: b.User, Role: b.Role, Directory: b.Directory, CreatedBefore: b.CreatedBefore, UnusedSince: b.UnusedSince}
	if f == (idbridge.KeyFilter{}) {
		return nil, problem.New(problem.Invalid, "").At("body", "expected at least one condition")
	}
	list, err := s.config.Store.RevokeKeys(ctx, f, by(who), b.Reason, b.DryRun)
	if err != nil {
		return nil, err
	}
	out := &bulkKeysOutput{}
	const shown = 1000
	out.Body.DryRun, out.Body.Revoked, out.Body.Keys = b.DryRun, len(list), s.viewKeys(list[:min(len(list), shown)])
	return out, nil
}

func (s *Server) keyRoutes() {
	const tag = "keys"
	over := []int{http.StatusForbidden, http.StatusNotFound, http.StatusConflict}
	register(s, operation{
		method: http.MethodGet, path: "/keys", id: "list-keys", summary: "Own keys, or everybody's with keys.admin, those that are over included",
		tag: tag, errors: []int{http.StatusForbidden},
	}, s.listKeys)
	register(s, operation{
		method: http.MethodPost, path: "/keys", id: "add-key", summary: "Make a key; the one before it in its slot dies in the same moment", tag: tag,
		status: http.StatusCreated, errors: over,
	}, s.addKey)
	register(s, operation{
		method: http.MethodGet, path: "/keys/{id}", id: "read-key", summary: "One key, without its secret", tag: tag, errors: []int{http.StatusNotFound},
	}, s.readKey)
	register(s, operation{
		method: http.MethodPatch, path: "/keys/{id}", id: "patch-key", summary: "Change what limits a key (merge patch)", tag: tag,
		errors: append([]int{http.StatusPreconditionFailed}, over...),
	}, s.patchKey)
	register(s, operation{
		method: http.MethodDelete, path: "/keys/{id}", id: "delete-key", summary: "End a key for good", tag: tag,
		errors: []int{http.StatusForbidden, http.StatusNotFound, http.StatusPreconditionFailed},
	}, s.endKey)
	register(s, operation{
		method: http.MethodPost, path: "/keys/{id}/rotate", id: "rotate-key", summary: "Put a new key in the place of this one", tag: tag,
		status: http.StatusCreated, errors: over,
	}, s.rotateKey)
	register(s, operation{method: http.MethodPost, path: "/keys/{id}/enable", id: "enable-key", summary: "Enable a key again", tag: tag, errors: over}, s.enableKey)
	register(s, operation{method: http.MethodPost, path: "/keys/{id}/disable", id: "disable-key", summary: "Disable a key", tag: tag, errors: over}, s.disableKey)
	register(s, operation{
		method: http.MethodPost, path: "/keys/revoke", id: "revoke-keys", summary: "End all keys that the conditions select", tag: tag,
		need: []Permission{KeysAdmin},
	}, s.revokeKeys)
	s.leakRoute()
}
