package httpapi

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/httpapi/credential"
	"github.com/idbridge/idbridge/httpapi/problem"
	"github.com/idbridge/idbridge/httpapi/strict"
)

const (
	maxBatch     = 1000
	maxBatchBody = 256 << 10
)

// batchQuestion and batchAnswer describe /check/batch in the document.
type batchQuestion struct {
	Checks      []batchedQuestion `json:"checks" minItems:"1" maxItems:"1000"`
	MinRevision int64             `json:"minRevision,omitempty" minimum:"0" doc:"Wait up to 2 s until the store has reached it."`
}

type batchedQuestion struct {
	User        any    `json:"user,omitempty" doc:"A user's id or name; or else key."`
	Key         string `json:"key,omitempty" maxLength:"1024"`
	Role        string `json:"role" maxLength:"1024"`
	Application string `json:"application,omitempty" maxLength:"1024"`
}

type batchAnswer struct {
	Results  []batchedAnswer `json:"results" doc:"In the order of the checks."`
	Revision int64           `json:"revision" doc:"Of the one snapshot that all results are from."`
	AsOf     time.Time       `json:"asOf"`
}

type batchedAnswer struct {
	Allowed       bool       `json:"allowed"`
	Reason        string     `json:"reason"`
	DirectoryAsOf *time.Time `json:"directoryAsOf"`
	Stale         bool       `json:"stale"`
}

// readBatch reads the questions and the revision to wait for. Errors: 400, 422.
func readBatch(body []byte) (list []question, least int64, err error) {
	var inner error
	err = members(body, "body", func(name string, value []byte) string {
		switch name {
		case "checks":
			list, inner = readChecks(value)
			return ""
		case "minRevision":
			n, ok := number(value)
			if least = n; !ok {
				return "expected integer"
			}
			return ""
		}
		return unknownMember
	})
	switch {
	case err != nil:
		return nil, 0, err
	case inner != nil:
		return nil, 0, inner
	case len(list) == 0:
		return nil, 0, problem.New(problem.Invalid, "").At("body.checks", "expected a list of 1 to 1000 checks")
	}
	return list, least, nil
}

func readChecks(value []byte) ([]question, error) {
	var list []question
	err := strict.Elements(value, func(one []byte) error {
		at := "body.checks[" + strconv.Itoa(len(list)) + "]"
		if len(list) == maxBatch {
			return problem.New(problem.Invalid, "").At("body.checks", "expected a list of 1 to 1000 checks")
		}
		q, err := readQuestion(one, at)
		if err == nil && q.minRevision != 0 {
			err = problem.New(problem.Invalid, "").At(at+".minRevision", unknownMember)
		}
		list = append(list, q)
		return err
	})
	var fault *strict.Fault
	if errors.As(err, &fault) { // the body is JSON: it is no list
		return nil, problem.New(problem.Invalid, "").At("body.checks", "expected a list of 1 to 1000 checks")
	}
	return list, err
}

// checkBatch answers many checks from one snapshot of the store. Who may not ask about one of them is refused the whole.
func (s *Server) checkBatch(r *http.Request, x *exchange, body, out []byte) ([]byte, error) {
	list, least, err := readBatch(body)
	if err != nil {
		return out, err
	}
	if err := s.mayAskAll(&x.who, list); err != nil {
		return out, err
	}
	ctx := r.Context()
	if least > 0 {
		if _, err = s.waitRevision(ctx, least); err != nil {
			return out, err
		}
	}
	at := s.config.Now()
	ids, users, err := s.subjects(ctx, list, at)
	if err != nil {
		return out, err
	}
	revision, err := s.config.Store.Revision(ctx) // at least this old is the snapshot, when nobody is in it
	if err != nil {
		return out, err
	}
	pictures, err := s.config.Store.AccessOf(ctx, users)
	if err != nil {
		return out, err
	}
	for _, a := range pictures { // all of one moment
		revision = max(revision, a.Revision)
	}
	out = append(out, `{"results":[`...)
	for i := range list {
		if i > 0 {
			out = append(out, ',')
		}
		access, exists := pictures[ids[i]]
		reason := list[i].judge(&access, exists)
		if list[i].hasKey && reason == granted { // a key may have ended since it was looked up
			if reason, err = s.stillGranted(ctx, &list[i], at); err != nil {
				return out, err
			}
		}
		out = s.appendBatched(out, &access, reason, at)
	}
	out = append(out, `],"revision":`...)
	out = strconv.AppendInt(out, revision, 10)
	out = append(out, `,"asOf":`...)
	return append(appendTime(out, at), '}'), nil
}

// mayAskAll refuses who may not ask about others, as soon as one question is not about himself.
func (s *Server) mayAskAll(who *credential.Caller, list []question) error {
	if s.may(who, RolesCheck) {
		return nil
	}
	for i := range list {
		if !list[i].about(who) {
			return problem.New(problem.Forbidden, "")
		}
	}
	return nil
}

// subjects finds out whom each question is about, 0 for nobody, and lists each user once.
func (s *Server) subjects(ctx context.Context, list []question, at time.Time) (ids, users []idbridge.UserID, err error) {
	ids = make([]idbridge.UserID, len(list))
	seen := make(map[idbridge.UserID]bool, len(list))
	for i := range list {
		q := &list[i]
		switch {
		case q.hasKey:
			_, access, code, err := s.inspect(ctx, q.key, at)
			if err != nil {
				return nil, nil, err
			}
			if code == codeValid || code == codeUserDisabled {
				ids[i] = access.User
			}
		case q.id != 0:
			ids[i] = q.id
		default:
			access, err := s.config.Store.AccessByName(ctx, q.name)
			if err != nil && idbridge.KindOf(err) != idbridge.NotFound {
				return nil, nil, err
			}
			ids[i] = access.User
		}
		if ids[i] != 0 && !seen[ids[i]] {
			seen[ids[i]] = true
			users = append(users, ids[i])
		}
	}
	return ids, users, nil
}

// judge says whether a user may, and why not.
func (q *question) judge(a *idbridge.Access, exists bool) string {
	switch {
	case !exists && q.hasKey:
		return noKey
	case !exists || !a.Exists:
		return noUser
	case !a.May:
		return a.Why
	case !a.Has(idbridge.Role(q.role), q.application):
		return noRole
	}
	return granted
}

// stillGranted looks at a key again, after the snapshot.
func (s *Server) stillGranted(ctx context.Context, q *question, at time.Time) (string, error) {
	_, _, code, err := s.inspect(ctx, q.key, at)
	if err != nil {
		return "", err
	}
	if code != codeValid && code != codeUserDisabled {
		return noKey, nil
	}
	return granted, nil
}

func (s *Server) appendBatched(out []byte, a *idbridge.Access, reason string, at time.Time) []byte {
	out = append(out, `{"allowed":`...)
	out = strconv.AppendBool(out, reason == granted)
	out = append(out, `,"reason":`...)
	out = appendText(out, reason)
	out = append(out, `,"directoryAsOf":`...)
	out = appendTime(out, a.AsOf)
	out = append(out, `,"stale":`...)
	return append(strconv.AppendBool(out, s.stale(a, at)), '}')
}
