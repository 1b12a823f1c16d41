package httpapi

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/httpapi/credential"
	"github.com/idbridge/idbridge/httpapi/problem"
)

type roleCountView struct {
	Role        idbridge.Role `json:"role"`
	Application string        `json:"application,omitempty"`
	Users       int           `json:"users"`
	Builtin     bool          `json:"builtin"`
}

type rolesOutput struct {
	Body struct {
		Items []roleCountView `json:"items"`
	}
}

func (s *Server) listRoles(ctx context.Context, _ *credential.Caller, _ *empty) (*rolesOutput, error) {
	counts, err := s.config.Store.Roles(ctx)
	if err != nil {
		return nil, err
	}
	builtin := []idbridge.Role{idbridge.Admin, idbridge.SuperConsumer, idbridge.APIKeyGeneration}
	out := &rolesOutput{}
	out.Body.Items = make([]roleCountView, 0, len(counts)+len(builtin))
	for _, c := range counts {
		out.Body.Items = append(out.Body.Items, roleCountView{c.Role, c.Application, c.Users, slices.Contains(builtin, c.Role)})
	}
	for _, r := range builtin {
		if !slices.ContainsFunc(counts, func(c idbridge.RoleCount) bool { return c.Role == r && c.Application == "" }) {
			out.Body.Items = append(out.Body.Items, roleCountView{Role: r, Builtin: true})
		}
	}
	slices.SortFunc(out.Body.Items, func(a, b roleCountView) int {
		return cmp.Or(cmp.Compare(a.Role, b.Role), cmp.Compare(a.Application, b.Application))
	})
	return out, nil
}

type roleOutput struct {
	Body roleCountView
}

// readRole tells how many users have a role, everywhere or on one application. A role that nobody has, and that is not
// built in, is none.
func (s *Server) readRole(ctx context.Context, who *credential.Caller, in *RolePath) (*roleOutput, error) {
	all, err := s.listRoles(ctx, who, &empty{})
	if err != nil {
		return nil, err
	}
	for _, r := range all.Body.Items {
		if string(r.Role) == in.Role && r.Application == in.Application {
			return &roleOutput{r}, nil
		}
	}
	return nil, problem.New(problem.NotFound, "Nobody has this role.")
}

// RolePath names a role, everywhere or on one application.
type RolePath struct {
	Role        string `path:"role" maxLength:"128"`
	Application string `query:"application" maxLength:"128" doc:"Absent: everywhere."`
}

// check refuses names that no role or application has.
func (in *RolePath) check() error {
	for _, name := range []string{in.Role, in.Application} {
		if strings.ContainsFunc(name, forbiddenRune) || strings.TrimSpace(name) != name || strings.ContainsRune(name, '/') {
			return problem.New(problem.NotFound, "")
		}
	}
	return nil
}

type membersInput struct {
	RolePath
	PageQuery
}

type memberView struct {
	User idbridge.UserID `json:"user"`
	GrantView
}

type membersOutput struct {
	PageLink
	Body struct {
		Items []memberView `json:"items"`
		Next  string       `json:"next,omitempty"`
	}
}

func (s *Server) listMembers(ctx context.Context, _ *credential.Caller, in *membersInput) (*membersOutput, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	after, err := in.after("members")
	if err != nil {
		return nil, err
	}
	list, err := s.config.Store.RoleMembers(ctx, idbridge.Role(in.Role), in.Application, idbridge.UserID(after), in.limit()+1)
	if err != nil {
		return nil, err
	}
	out := &membersOutput{}
	if len(list) > in.limit() {
		// A user may have the role from several sources: the page ends between users.
		cut := in.limit()
		for cut > 1 && list[cut-1].User == list[cut].User {
			cut--
		}
		if list[cut-1].User != list[cut].User {
			list = list[:cut]
		}
		out.Body.Next = next("members", int64(list[len(list)-1].User))
		out.Link = s.link("/roles/"+url.PathEscape(in.Role)+"/members", out.Body.Next, in.limit(), url.Values{"application": {in.Application}})
	}
	out.Body.Items = make([]memberView, 0, len(list))
	for i := range list {
		out.Body.Items = append(out.Body.Items, memberView{list[i].User, viewGrant(&list[i])})
	}
	return out, nil
}

type memberInput struct {
	RolePath
	User idbridge.UserID `path:"user" minimum:"1" maximum:"9007199254740991"`
}

func (s *Server) grant(ctx context.Context, who *credential.Caller, in *memberInput) (*struct{}, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	err := s.config.Store.GrantRole(ctx, in.User, idbridge.Role(in.Role), in.Application, by(who))
	if err != nil && idbridge.KindOf(err) != idbridge.Exists {
		return nil, err
	}
	return &struct{}{}, nil
}

// revoke takes a role that was granted by hand. What a directory's group gives is not taken here: it would come back.
func (s *Server) revoke(ctx context.Context, who *credential.Caller, in *memberInput) (*struct{}, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	grants, err := s.config.Store.Grants(ctx, in.User)
	if err != nil {
		return nil, err
	}
	has, manual := false, false
	for i := range grants {
		if grants[i].Role == idbridge.Role(in.Role) && grants[i].Application == in.Application {
			has, manual = true, manual || grants[i].Manual()
		}
	}
	switch {
	case !has:
		return nil, problem.New(problem.NotFound, "The user does not have this role.")
	case !manual:
		return nil, problem.New(problem.OwnedByDirectory, "")
	}
	if err := s.config.Store.RevokeRole(ctx, in.User, idbridge.Role(in.Role), in.Application, by(who)); err != nil {
		return nil, lastAdmin(err)
	}
	return &struct{}{}, nil
}

type hasRoleInput struct {
	UserPath
	RolePath
}

type statusOutput struct{ Status int }

// hasRole answers 204 or 404, without a body.
func (s *Server) hasRole(ctx context.Context, _ *credential.Caller, in *hasRoleInput) (*statusOutput, error) {
	access, err := s.config.Store.Access(ctx, in.ID)
	if err != nil && idbridge.KindOf(err) != idbridge.NotFound {
		return nil, err
	}
	if err != nil || !access.Has(idbridge.Role(in.Role), in.Application) {
		return &statusOutput{http.StatusNotFound}, nil //nolint:nilerr // an unknown user has no role
	}
	return &statusOutput{http.StatusNoContent}, nil
}

func (s *Server) roleRoutes() {
	const tag = "roles"
	admin := []Permission{RolesAdmin}
	register(s, operation{method: http.MethodGet, path: "/roles", id: "list-roles", summary: "Roles, and how many users have each", tag: tag, need: admin}, s.listRoles)
	register(s, operation{
		method: http.MethodGet, path: "/roles/{role}", id: "read-role", summary: "One role, and how many users have it", tag: tag, need: admin,
		errors: []int{http.StatusNotFound},
	}, s.readRole)
	register(s, operation{
		method: http.MethodGet, path: "/roles/{role}/members", id: "list-members", summary: "Who has a role, and from where", tag: tag, need: admin,
		errors: []int{http.StatusNotFound},
	}, s.listMembers)
	register(s, operation{
		method: http.MethodPut, path: "/roles/{role}/members/{user}", id: "grant-role", summary: "Grant a role by hand", tag: tag, need: admin,
		errors: []int{http.StatusNotFound},
	}, s.grant)
	register(s, operation{
		method: http.MethodDelete, path: "/roles/{role}/members/{user}", id: "revoke-role", summary: "Take a role that was granted by hand", tag: tag,
		need: admin, errors: []int{http.StatusNotFound, http.StatusConflict},
	}, s.revoke)
	register(s, operation{
		method: http.MethodGet, path: "/users/{id}/roles/{role}", id: "has-role", summary: "204 when the user may act in the role, else 404 without a body",
		tag: tag, need: []Permission{RolesCheck}, errors: []int{http.StatusNotFound},
	}, s.hasRole)
}
