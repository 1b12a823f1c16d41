package httpapi

import (
	"context"
	"net/http"
	"net/netip"
	"strings"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/httpapi/credential"
	"github.com/idbridge/idbridge/httpapi/problem"
)

// NewPassword is a local password to be set. What makes one good is its length (NIST SP 800-63B); nothing is asked of its
// letters.
type NewPassword struct {
	Password string `json:"password" minLength:"12" maxLength:"256" format:"password" doc:"At least 12 characters; any will do."`
}

type setPasswordInput struct {
	UserPath
	Body NewPassword
}

// setPassword sets the password of a local user and ends his sessions.
func (s *Server) setPassword(ctx context.Context, who *credential.Caller, in *setPasswordInput) (*struct{}, error) {
	return s.storePassword(ctx, in.ID, in.Body.Password, who)
}

type myPasswordInput struct {
	Body struct {
		NewPassword
		Current string `json:"current" minLength:"1" maxLength:"1024" format:"password"`
	}
}

// setMyPassword sets the own password of whoever knows the present one, and ends all of his sessions.
func (s *Server) setMyPassword(ctx context.Context, who *credential.Caller, in *myPasswordInput) (*struct{}, error) {
	if err := whole(who); err != nil {
		return nil, err
	}
	access, err := s.resolver.Login(ctx, who.Name(), idbridge.NewSecret(in.Body.Current), addressOf(ctx))
	if p := problem.From(err); err != nil && p.Status != http.StatusUnauthorized {
		return nil, p
	}
	if err != nil || access.User != who.User() {
		return nil, problem.New(problem.Invalid, "").At("body.current", "is not the present password").Because(err)
	}
	return s.storePassword(ctx, who.User(), in.Body.Password, who)
}

func (s *Server) storePassword(ctx context.Context, id idbridge.UserID, password string, who *credential.Caller) (*struct{}, error) {
	if strings.ContainsFunc(password, forbiddenRune) {
		return nil, problem.New(problem.Invalid, "").At("body.password", "holds control characters")
	}
	hash, err := s.hasher.Hash(ctx, idbridge.NewSecret(password))
	if err != nil {
		return nil, err
	}
	err = s.config.Store.SetPassword(ctx, id, hash, by(who))
	if idbridge.KindOf(err) == idbridge.Forbidden && err != nil {
		return nil, problem.New(problem.OwnedByDirectory, "The user's directory checks his password; change it there.").Because(err)
	}
	if err != nil {
		return nil, err
	}
	return &struct{}{}, nil
}

// addressOf returns where a request comes from.
func addressOf(ctx context.Context) netip.Addr {
	if x, ok := ctx.Value(exchangeKey{}).(*exchange); ok {
		return x.from
	}
	return netip.Addr{}
}

type endSessionsInput struct{ UserPath }

type endSessionsOutput struct {
	Body struct {
		Ended int `json:"ended"`
	}
}

// endSessions signs a user out everywhere; his keys stay.
func (s *Server) endSessions(ctx context.Context, who *credential.Caller, in *endSessionsInput) (*endSessionsOutput, error) {
	if _, err := s.config.Store.User(ctx, in.ID); err != nil {
		return nil, err
	}
	n, err := s.config.Store.EndSessions(ctx, idbridge.SessionFilter{User: in.ID}, by(who), "ended by an administrator")
	if err != nil {
		return nil, err
	}
	out := &endSessionsOutput{}
	out.Body.Ended = n
	return out, nil
}

func (s *Server) passwordRoutes() {
	need := []Permission{UsersAdmin}
	register(s, operation{
		method: http.MethodPost, path: "/users/{id}/password", id: "set-password", summary: "Set the password of a local user; his sessions end", tag: "users",
		need: need, errors: []int{http.StatusNotFound, http.StatusConflict},
	}, s.setPassword)
	register(s, operation{
		method: http.MethodPost, path: "/me/password", id: "set-my-password", summary: "Set the own password; all own sessions end", tag: "me",
		errors: []int{http.StatusForbidden, http.StatusConflict},
	}, s.setMyPassword)
	register(s, operation{
		method: http.MethodPost, path: "/users/{id}/revoke-sessions", id: "revoke-sessions", summary: "Sign a user out everywhere; his keys stay", tag: "users",
		need: need, errors: []int{http.StatusNotFound},
	}, s.endSessions)
}
