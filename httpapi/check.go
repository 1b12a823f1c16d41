package httpapi

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/httpapi/credential"
	"github.com/idbridge/idbridge/httpapi/problem"
)

// question is what /check is asked: may this user act in this role?
type question struct {
	id          idbridge.UserID // user, as a number
	name        string          // user, as a name
	key         idbridge.Secret // or whoever's key this is
	hasUser     bool
	hasKey      bool
	role        string
	application string
	minRevision int64
}

const maxID = 1<<53 - 1

// readQuestion reads one question; at is where it stands in the body. Errors: 400, 422.
func readQuestion(body []byte, at string) (question, error) {
	var q question
	err := members(body, at, func(name string, value []byte) string {
		switch name {
		case "user":
			q.hasUser = true
			return q.user(value)
		case "key":
			q.hasKey = true
			var key string
			fault := text(value, &key)
			q.key = idbridge.NewSecret(key)
			return fault
		case "role":
			return text(value, &q.role)
		case "application":
			return text(value, &q.application)
		case "minRevision":
			n, ok := number(value)
			q.minRevision = n
			if !ok {
				return "expected integer"
			}
			return ""
		}
		return unknownMember
	})
	if err != nil {
		return q, err
	}
	switch {
	case q.hasUser == q.hasKey:
		return q, problem.New(problem.Invalid, "").At(at, "expected either user or key")
	case q.role == "":
		return q, problem.New(problem.Invalid, "").At(at+".role", "expected a role")
	}
	return q, nil
}

func (q *question) user(value []byte) string {
	if n, ok := number(value); ok && n > 0 {
		q.id = idbridge.UserID(n)
		return ""
	}
	if fault := text(value, &q.name); fault != "" || q.name == "" {
		return "expected a user's id or name"
	}
	return ""
}

// number reads a whole number from 0 to 2⁵³−1.
func number(value []byte) (int64, bool) {
	if len(value) == 0 || len(value) > 16 {
		return 0, false
	}
	var n int64
	for _, c := range value {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, n <= maxID
}

// check answers what a user may do. About himself everybody may ask; about others it needs roles.check, and without it the
// answer is the same whether they exist or not.
func (s *Server) check(r *http.Request, x *exchange, body, out []byte) ([]byte, error) {
	explain, err := wantsPaths(r)
	if err != nil {
		return out, err
	}
	q, err := readQuestion(body, "body")
	if err != nil {
		return out, err
	}
	ctx := r.Context()
	if !s.may(&x.who, RolesCheck) && !q.about(&x.who) {
		return out, problem.New(problem.Forbidden, "")
	}
	at := x.started
	access, reason, err := s.answerOf(ctx, &q, at)
	if err != nil {
		return out, err
	}
	revision := access.Revision
	if q.minRevision > revision {
		if revision, err = s.waitRevision(ctx, q.minRevision); err != nil {
			return out, err
		}
		if access, reason, err = s.answerOf(ctx, &q, s.config.Now()); err != nil { // it may have changed while we waited
			return out, err
		}
		revision = max(revision, access.Revision)
		at = s.config.Now()
	}
	if revision == 0 { // nobody's picture: the store's own revision
		if revision, err = s.config.Store.Revision(ctx); err != nil {
			return out, err
		}
	}
	out = append(out, `{"allowed":`...)
	out = strconv.AppendBool(out, reason == granted)
	out = append(out, `,"reason":`...)
	out = appendText(out, reason)
	out = s.appendAsOf(out, &access, revision, at)
	if explain {
		if out, err = s.appendPaths(ctx, out, &access, &q); err != nil {
			return out, err
		}
	}
	return append(out, '}'), nil
}

// The reasons of /check, besides those of idbridge.Access.Why.
const (
	granted = "granted"
	noRole  = "no-role"
	noUser  = "no-user"
	noKey   = "no-key"
)

// about tells whether the question is about the caller himself. A key counts when it is the very one he calls with.
func (q *question) about(who *credential.Caller) bool {
	switch {
	case q.hasKey:
		k, ok := idbridge.ParseKeyText(q.key.Reveal())
		return ok && who.How == credential.ByKey && k.ID() == who.Key
	case q.id != 0:
		return q.id == who.User()
	}
	return idbridge.CaseIgnore.Normal(q.name) == idbridge.CaseIgnore.Normal(who.Name())
}

// answerOf looks the user up and says whether he may, and why not.
func (s *Server) answerOf(ctx context.Context, q *question, at time.Time) (idbridge.Access, string, error) {
	var access idbridge.Access
	var err error
	switch {
	case q.hasKey:
		var code string
		if _, access, code, err = s.inspect(ctx, q.key, at); err != nil {
			return access, "", err
		}
		if code != codeValid && code != codeUserDisabled {
			return idbridge.Access{}, noKey, nil
		}
	case q.id != 0:
		access, err = s.config.Store.Access(ctx, q.id)
	default:
		access, err = s.config.Store.AccessByName(ctx, q.name)
	}
	switch {
	case err != nil && idbridge.KindOf(err) != idbridge.NotFound:
		return access, "", err
	case err != nil || !access.Exists:
		return idbridge.Access{Revision: access.Revision}, noUser, nil
	case !access.May:
		return access, access.Why, nil
	case !access.Has(idbridge.Role(q.role), q.application):
		return access, noRole, nil
	}
	return access, granted, nil
}

const revisionWait = 2 * time.Second

// waitRevision waits until every answer here knows a revision, and returns the one that the store is at. Error: 409 after
// 2 s.
func (s *Server) waitRevision(ctx context.Context, least int64) (int64, error) {
	wait, cancel := context.WithTimeout(ctx, revisionWait)
	defer cancel()
	if err := s.config.Store.WaitRevision(wait, least); err != nil {
		if wait.Err() != nil && ctx.Err() == nil {
			return 0, problem.New(problem.RevisionNotReached, "").Because(err)
		}
		return 0, err
	}
	return s.config.Store.Revision(ctx)
}
