package httpapi

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/httpapi/credential"
	"github.com/idbridge/idbridge/httpapi/problem"
)

type usersInput struct {
	PageQuery
	Query     string            `query:"q" maxLength:"128" doc:"Part of a user name, display name or e-mail."`
	Directory string            `query:"directory" maxLength:"128"`
	Kind      idbridge.UserKind `query:"kind" enum:"person,service"`
}

type usersOutput struct {
	PageLink
	Body struct {
		Items []*userView `json:"items"`
		Next  string      `json:"next,omitempty" doc:"The cursor of the next page; absent on the last one."`
	}
}

func (s *Server) listUsers(ctx context.Context, _ *credential.Caller, in *usersInput) (*usersOutput, error) {
	after, err := in.after("users")
	if err != nil {
		return nil, err
	}
	list, err := s.config.Store.Users(ctx, idbridge.UserFilter{
		After: idbridge.UserID(after), Limit: in.limit() + 1, Query: in.Query, Directory: in.Directory, Kind: in.Kind,
	})
	if err != nil {
		return nil, err
	}
	out := &usersOutput{}
	if len(list) > in.limit() {
		list = list[:in.limit()]
		out.Body.Next = next("users", int64(list[len(list)-1].ID))
		out.Link = s.link("/users", out.Body.Next, in.limit(), url.Values{
			"q": {in.Query}, "directory": {in.Directory}, "kind": {string(in.Kind)},
		})
	}
	out.Body.Items = make([]*userView, 0, len(list))
	for i := range list {
		out.Body.Items = append(out.Body.Items, viewUser(&list[i]))
	}
	return out, nil
}

// UserPath names a user by id.
type UserPath struct {
	ID idbridge.UserID `path:"id" minimum:"1" maximum:"9007199254740991"`
}

type readUserInput struct {
	UserPath
	IfNoneMatch string `header:"If-None-Match"`
}

type userOutput struct {
	Status   int
	ETag     string `header:"ETag"`
	Location string `header:"Location"`
	Body     *userView
}

func (s *Server) readUser(ctx context.Context, _ *credential.Caller, in *readUserInput) (*userOutput, error) {
	u, err := s.config.Store.User(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if in.IfNoneMatch != "" && matches(in.IfNoneMatch, etag(u.Revision), true) {
		return &userOutput{Status: http.StatusNotModified, ETag: etag(u.Revision)}, nil
	}
	return s.userOutput(ctx, &u, http.StatusOK)
}

func (s *Server) userOutput(ctx context.Context, u *idbridge.User, status int) (*userOutput, error) {
	links, err := s.config.Store.Links(ctx, u.ID)
	if err != nil {
		return nil, err
	}
	v := viewUser(u)
	v.Links = viewLinks(links)
	return &userOutput{Status: status, ETag: etag(u.Revision), Body: v}, nil
}

type addUserInput struct {
	Body struct {
		Kind    idbridge.UserKind              `json:"kind,omitempty"`
		Profile map[idbridge.Attribute]patched `json:"profile"`
	}
}

func (s *Server) addUser(ctx context.Context, who *credential.Caller, in *addUserInput) (*userOutput, error) {
	profile, err := s.profileOf(in.Body.Profile, "body.profile.", s.administered())
	if err != nil {
		return nil, err
	}
	if len(profile[idbridge.UserName]) == 0 {
		return nil, problem.New(problem.Invalid, "Some values cannot be taken.").At("body.profile.userName", "must not be empty")
	}
	kind := in.Body.Kind
	if kind == "" {
		kind = idbridge.Person
	}
	u, err := s.config.Store.AddUser(ctx, idbridge.NewUser{Kind: kind, Profile: profile, By: by(who)})
	if err != nil {
		return nil, err
	}
	out, err := s.userOutput(ctx, &u, http.StatusCreated)
	if err != nil {
		return nil, err
	}
	out.Location = base + "/users/" + strconv.FormatInt(int64(u.ID), 10)
	return out, nil
}

type patchUserInput struct {
	UserPath
	IfMatch string `header:"If-Match" doc:"Required: the ETag that was read."`
	Body    struct {
		Profile map[idbridge.Attribute]patched `json:"profile"`
	}
}

func (s *Server) patchUser(ctx context.Context, who *credential.Caller, in *patchUserInput) (*userOutput, error) {
	set, err := s.profileOf(in.Body.Profile, "body.profile.", s.administered())
	if err != nil {
		return nil, err
	}
	u, err := s.edit(ctx, who, in.ID, in.IfMatch, true, set)
	if err != nil {
		return nil, err
	}
	return s.userOutput(ctx, &u, http.StatusOK)
}

type deleteUserInput struct {
	UserPath
	IfMatch string `header:"If-Match" doc:"Required: the ETag that was read."`
}

func (s *Server) deleteUser(ctx context.Context, who *credential.Caller, in *deleteUserInput) (*struct{}, error) {
	u, err := s.config.Store.User(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if err := precondition(in.IfMatch, u.Revision, true); err != nil {
		return nil, err
	}
	revision := u.Revision
	if matches(in.IfMatch, "*", false) {
		revision = 0
	}
	err = s.config.Store.DeleteUserIf(ctx, in.ID, revision, by(who))
	switch idbridge.KindOf(err) {
	case idbridge.Forbidden:
		return nil, lastAdmin(err)
	case idbridge.Conflicting:
		return nil, stale(err, in.IfMatch)
	default:
	}
	if err != nil {
		return nil, err
	}
	return &struct{}{}, nil
}

type suspendInput struct {
	UserPath
	Body *struct {
		Reason string `json:"reason,omitempty" maxLength:"256"`
	}
}

func (s *Server) suspendUser(ctx context.Context, who *credential.Caller, in *suspendInput) (*userOutput, error) {
	return s.setSuspended(ctx, who, in, true)
}

func (s *Server) resumeUser(ctx context.Context, who *credential.Caller, in *suspendInput) (*userOutput, error) {
	return s.setSuspended(ctx, who, in, false)
}

func (s *Server) setSuspended(ctx context.Context, who *credential.Caller, in *suspendInput, on bool) (*userOutput, error) {
	reason := ""
	if in.Body != nil {
		reason = in.Body.Reason
	}
	if err := s.config.Store.SetSuspended(ctx, in.ID, on, by(who), reason); err != nil {
		return nil, lastAdmin(err)
	}
	u, err := s.config.Store.User(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return s.userOutput(ctx, &u, http.StatusOK)
}

// lastAdmin names the only reason for which the store forbids an administrator something here.
func lastAdmin(err error) error {
	if idbridge.KindOf(err) == idbridge.Forbidden {
		return problem.New(problem.LastAdmin, "").Because(err)
	}
	return err
}

// bodyOf is the request body {kind?, profile} of users, with the attributes that the store knows.
func bodyOf(profile *huma.Schema, withKind bool) *huma.Schema {
	o := &huma.Schema{
		Type: huma.TypeObject, AdditionalProperties: false, Required: []string{"profile"}, Properties: map[string]*huma.Schema{"profile": profile},
	}
	if withKind {
		o.Properties["kind"] = &huma.Schema{Type: huma.TypeString, Enum: []any{string(idbridge.Person), string(idbridge.Service)}}
	}
	return o
}

func (s *Server) userRoutes() {
	const tag = "users"
	read, admin := []Permission{UsersRead, UsersAdmin}, []Permission{UsersAdmin}
	profile := patchSchema(s.administered())
	register(s, operation{method: http.MethodGet, path: "/users", id: "list-users", summary: "Users, by id", tag: tag, need: read}, s.listUsers)
	register(s, operation{
		method: http.MethodPost, path: "/users", id: "add-user", summary: "Make a person or a service", tag: tag, need: admin,
		status: http.StatusCreated, errors: []int{http.StatusConflict},
		body: &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{"application/json": {Schema: bodyOf(profile, true)}}},
	}, s.addUser)
	register(s, operation{
		method: http.MethodGet, path: "/users/{id}", id: "read-user", summary: "One user with his links", tag: tag, need: read,
		errors: []int{http.StatusNotFound},
	}, s.readUser)
	register(s, operation{
		method: http.MethodPatch, path: "/users/{id}", id: "patch-user", summary: "Edit a user's profile (merge patch)", tag: tag, need: admin,
		body:   patchBody(bodyOf(profile, false)),
		errors: []int{http.StatusNotFound, http.StatusConflict, http.StatusPreconditionFailed, http.StatusPreconditionRequired},
	}, s.patchUser)
	register(s, operation{
		method: http.MethodDelete, path: "/users/{id}", id: "delete-user", summary: "Delete a user, his keys and links; a tombstone stays", tag: tag,
		need: admin, errors: []int{http.StatusNotFound, http.StatusConflict, http.StatusPreconditionFailed, http.StatusPreconditionRequired},
	}, s.deleteUser)
	register(s, operation{
		method: http.MethodPost, path: "/users/{id}/suspend", id: "suspend-user", summary: "End a user's access; no run lifts it", tag: tag,
		need: admin, errors: []int{http.StatusNotFound, http.StatusConflict},
	}, s.suspendUser)
	register(s, operation{
		method: http.MethodPost, path: "/users/{id}/resume", id: "resume-user", summary: "Lift an administrator's suspension", tag: tag,
		need: admin, errors: []int{http.StatusNotFound},
	}, s.resumeUser)
}
