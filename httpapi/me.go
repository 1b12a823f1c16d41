package httpapi

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/httpapi/credential"
	"github.com/idbridge/idbridge/httpapi/problem"
)

// pushWait is how long an answer waits for the directory to take an edit.
const pushWait = 2 * time.Second

type empty struct{}

// whoView is who is asking.
type whoView struct {
	ID        idbridge.UserID   `json:"id"`
	UserName  string            `json:"userName"`
	Kind      idbridge.UserKind `json:"kind" enum:"person,service"`
	Admin     bool              `json:"admin"`
	Roles     []idbridge.Role   `json:"roles" doc:"Those that hold everywhere."`
	Grants    []GrantView       `json:"grants" doc:"All, with application and origin."`
	How       string            `json:"credential" enum:"key,password,session,token"`
	Key       idbridge.KeyID    `json:"keyId,omitempty"`
	Scopes    []string          `json:"scopes,omitempty"`
	ExpiresAt *time.Time        `json:"expiresAt" doc:"When the key ends; null for never."`
}

type whoOutput struct{ Body whoView }

func (s *Server) whoami(_ context.Context, who *credential.Caller, _ *empty) (*whoOutput, error) {
	return &whoOutput{whoView{
		ID: who.User(), UserName: who.Name(), Kind: who.Access.Kind, Admin: who.Has(idbridge.Admin), Roles: globalRoles(&who.Access),
		Grants: viewGrants(who.Access.Grants), How: string(who.How), Key: who.Key, Scopes: who.Scopes, ExpiresAt: moment(who.Expires),
	}}, nil
}

// meView is one's own profile.
type meView struct {
	ID             idbridge.UserID                  `json:"id"`
	UserName       string                           `json:"userName"`
	Kind           idbridge.UserKind                `json:"kind" enum:"person,service"`
	Active         bool                             `json:"active"`
	Admin          bool                             `json:"admin"`
	Roles          []idbridge.Role                  `json:"roles"`
	Profile        map[idbridge.Attribute]fieldView `json:"profile"`
	Key            *keyView                         `json:"key" doc:"The primary key, without its secret; null when there is none."`
	CanGenerateKey bool                             `json:"canGenerateKey"`
	Missing        []string                         `json:"missing" doc:"Attributes to fill in before a key can be made."`
	Revision       int64                            `json:"revision"`
}

type meOutput struct {
	ETag string `header:"ETag"`
	Body meView
}

func (s *Server) me(ctx context.Context, who *credential.Caller, _ *empty) (*meOutput, error) {
	u, err := s.config.Store.User(ctx, who.User())
	if err != nil {
		return nil, err
	}
	return s.meOutput(ctx, who, &u, nil)
}

// meOutput reads the rest of what /me shows. edited attributes report how far they have come.
func (s *Server) meOutput(ctx context.Context, who *credential.Caller, u *idbridge.User, edited idbridge.Profile) (*meOutput, error) {
	links, err := s.config.Store.Links(ctx, u.ID)
	if err != nil {
		return nil, err
	}
	key, err := s.primary(ctx, u.ID)
	if err != nil {
		return nil, err
	}
	v := meView{
		ID: u.ID, UserName: u.UserName(), Kind: u.Kind, Active: who.Access.May, Admin: who.Has(idbridge.Admin), Roles: globalRoles(&who.Access),
		Profile: map[idbridge.Attribute]fieldView{}, Missing: missing(u), Revision: u.Revision,
	}
	if key != nil {
		v.Key = s.viewKey(key)
	}
	v.CanGenerateKey = len(v.Missing) == 0 && s.mint(who) == nil
	v.Profile[idbridge.UserName] = s.field(u, links, idbridge.UserName, false)
	for _, a := range s.editable() {
		f := s.field(u, links, a, true)
		if _, ok := edited[a]; ok {
			f.Sync = s.travelled(u, links, a)
		}
		v.Profile[a] = f
	}
	return &meOutput{ETag: etag(u.Revision), Body: v}, nil
}

type mePatchInput struct {
	IfMatch string `header:"If-Match" doc:"Optional: edit only this version."`
	Body    map[idbridge.Attribute]patched
}

// patchMe edits one's own profile: the store first, then the directories are woken and waited for a moment. Whatever they
// say, the edit is kept.
func (s *Server) patchMe(ctx context.Context, who *credential.Caller, in *mePatchInput) (*meOutput, error) {
	if err := whole(who); err != nil {
		return nil, err
	}
	set, err := s.profileOf(in.Body, "body.", s.editable())
	if err != nil {
		return nil, err
	}
	u, err := s.edit(ctx, who, who.User(), in.IfMatch, false, set)
	if err != nil {
		return nil, err
	}
	return s.meOutput(ctx, who, &u, set)
}

// edit stores new values under a precondition and pushes them. The user is read again afterwards.
func (s *Server) edit(
	ctx context.Context, who *credential.Caller, id idbridge.UserID, ifMatch string, required bool, set idbridge.Profile,
) (idbridge.User, error) {
	u, err := s.config.Store.User(ctx, id)
	if err != nil {
		return u, err
	}
	if err := precondition(ifMatch, u.Revision, required); err != nil {
		return u, err
	}
	if len(set) == 0 {
		return u, nil
	}
	e := idbridge.UserEdit{User: id, Set: set, By: by(who)}
	if ifMatch != "" {
		e.IfRevision = u.Revision
	}
	if u, err = s.config.Store.EditUser(ctx, e); err != nil {
		return u, stale(err, ifMatch)
	}
	if !s.push(ctx, id) {
		return u, nil
	}
	return s.config.Store.User(ctx, id)
}

// push wakes the directories and waits for them, at most pushWait, also when the client goes away. It tells whether
// anybody was woken.
func (s *Server) push(ctx context.Context, id idbridge.UserID) bool {
	if s.config.Pusher == nil {
		return false
	}
	wait, cancel := context.WithTimeout(context.WithoutCancel(ctx), pushWait)
	defer cancel()
	if err := s.config.Pusher.Push(wait, id); err != nil && wait.Err() == nil {
		s.config.Log.LogAttrs(ctx, slog.LevelWarn, "edit is kept and waits for its directory", slog.Int64("user", int64(id)), slog.Any("cause", err))
	}
	return true
}

// primary returns the user's live primary key, nil when he has none.
func (s *Server) primary(ctx context.Context, id idbridge.UserID) (*idbridge.Key, error) {
	keys, err := s.config.Store.Keys(ctx, id)
	if err != nil {
		return nil, err
	}
	for i := range keys {
		if keys[i].Slot == idbridge.PrimarySlot && keys[i].Revoked.IsZero() && keys[i].Overlap.IsZero() {
			return &keys[i], nil
		}
	}
	return nil, nil //nolint:nilnil // no key is an ordinary answer
}

func (s *Server) meRoutes() {
	const tag = "me"
	register(s, operation{method: http.MethodGet, path: "/whoami", id: "whoami", summary: "Who is asking", tag: tag}, s.whoami)
	register(s, operation{method: http.MethodGet, path: "/me", id: "me", summary: "Own profile", tag: tag}, s.me)
	register(s, operation{
		method: http.MethodPatch, path: "/me", id: "patch-me", summary: "Edit the own profile (merge patch)", tag: tag,
		body: patchBody(patchSchema(s.editable())), errors: []int{http.StatusForbidden, http.StatusConflict, http.StatusPreconditionFailed},
	}, s.patchMe)
	register(s, operation{
		method: http.MethodGet, path: "/me/key", id: "my-key", summary: "The own primary key, without its secret", tag: tag,
		errors: []int{http.StatusNotFound},
	}, s.myKey)
	register(s, operation{
		method: http.MethodPost, path: "/me/key", id: "make-my-key", summary: "Make a key; the one before dies in the same moment", tag: tag,
		status: http.StatusCreated, errors: []int{http.StatusForbidden, http.StatusConflict},
	}, s.makeMyKey)
	register(s, operation{
		method: http.MethodPost, path: "/me/key/rotate", id: "rotate-my-key", summary: "Put a new key in the place of the own primary one", tag: tag,
		status: http.StatusCreated, errors: []int{http.StatusForbidden, http.StatusNotFound, http.StatusConflict},
	}, s.rotateMyKey)
	register(s, operation{
		method: http.MethodDelete, path: "/me/key", id: "delete-my-key", summary: "End the own primary key", tag: tag,
		errors: []int{http.StatusForbidden, http.StatusNotFound, http.StatusPreconditionFailed},
	}, s.deleteMyKey)
}

// errNoKey is what the routes of /me/key say when there is none.
func errNoKey() error { return problem.New(problem.NotFound, "There is no key.") }
