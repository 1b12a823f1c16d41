package httpapi

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/httpapi/credential"
	"github.com/idbridge/idbridge/httpapi/problem"
)

// conflictView is one attribute that both sides changed, differently, with all three values.
type conflictView struct {
	ID        idbridge.ConflictID `json:"id"`
	User      idbridge.UserID     `json:"user,omitempty"`
	Name      string              `json:"name,omitempty"`
	Directory string              `json:"directory"`
	Record    string              `json:"record" doc:"The record's id in the directory."`
	Attribute idbridge.Attribute  `json:"attribute"`
	Values    threeValues         `json:"values"`
	Winner    idbridge.Winner     `json:"winner,omitempty"`
	Why       string              `json:"why,omitempty"`
	Opened    *time.Time          `json:"openedAt"`
	Closed    *time.Time          `json:"closedAt" doc:"null while it waits for a person."`
	By        string              `json:"by,omitempty"`
}

type threeValues struct {
	Base      valueSet `json:"base"`
	Store     valueSet `json:"store"`
	Directory valueSet `json:"directory"`
}

func viewConflict(c *idbridge.Conflict) conflictView {
	return conflictView{
		ID: c.ID, User: c.User, Name: c.Name, Directory: c.Link.Directory, Record: c.Link.ID, Attribute: c.Attribute,
		Values: threeValues{valueSet(nonNil(c.Base)), valueSet(nonNil(c.Store)), valueSet(nonNil(c.Directory))},
		Winner: c.Winner, Why: c.Why, Opened: moment(c.Opened), Closed: moment(c.Closed), By: c.By,
	}
}

type conflictsInput struct {
	PageQuery
	Open      bool               `query:"open" doc:"Only those that wait for a person."`
	User      idbridge.UserID    `query:"user" minimum:"1"`
	Attribute idbridge.Attribute `query:"attribute" maxLength:"128"`
}

type conflictsOutput struct {
	PageLink
	Body struct {
		Items []conflictView `json:"items"`
		Next  string         `json:"next,omitempty"`
	}
}

func (s *Server) listConflicts(ctx context.Context, _ *credential.Caller, in *conflictsInput) (*conflictsOutput, error) {
	after, err := in.after("conflicts")
	if err != nil {
		return nil, err
	}
	list, err := s.config.Store.Conflicts(ctx, idbridge.ConflictFilter{
		Open: in.Open, User: in.User, Attribute: in.Attribute, After: idbridge.ConflictID(after), Limit: in.limit() + 1,
	})
	if err != nil {
		return nil, err
	}
	out := &conflictsOutput{}
	if len(list) > in.limit() {
		list = list[:in.limit()]
		out.Body.Next = next("conflicts", int64(list[len(list)-1].ID))
		q := url.Values{"attribute": {string(in.Attribute)}}
		if in.Open {
			q.Set("open", "true")
		}
		if in.User != 0 {
			q.Set("user", strconv.FormatInt(int64(in.User), 10))
		}
		out.Link = s.link("/conflicts", out.Body.Next, in.limit(), q)
	}
	out.Body.Items = make([]conflictView, 0, len(list))
	for i := range list {
		out.Body.Items = append(out.Body.Items, viewConflict(&list[i]))
	}
	return out, nil
}

// ConflictPath names a conflict.
type ConflictPath struct {
	ID idbridge.ConflictID `path:"id" minimum:"1" maximum:"9007199254740991"`
}

type resolveInput struct {
	ConflictPath
	Body struct {
		Keep   string    `json:"keep,omitempty" enum:"store,directory" doc:"Whose value both sides shall have."`
		Values *[]string `json:"values,omitempty" maxItems:"100" doc:"Or these, instead of keep; none clears the attribute."`
	}
}

type conflictOutput struct{ Body conflictView }

func (s *Server) readConflict(ctx context.Context, _ *credential.Caller, in *ConflictPath) (*conflictOutput, error) {
	c, err := s.config.Store.Conflict(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return &conflictOutput{viewConflict(&c)}, nil
}

// resolveConflict takes a person's decision, and waits a little for its way to the directory.
func (s *Server) resolveConflict(ctx context.Context, who *credential.Caller, in *resolveInput) (*conflictOutput, error) {
	r, err := resolution(in.Body.Keep, in.Body.Values, by(who))
	if err != nil {
		return nil, err
	}
	r.Conflict = in.ID
	c, err := s.config.Store.ResolveConflict(ctx, r)
	if err != nil {
		return nil, err
	}
	s.push(ctx, c.User)
	return &conflictOutput{viewConflict(&c)}, nil
}

// resolution reads a decision: one side's value, or another. Error: 422 unless it is exactly one of the two.
func resolution(keep string, values *[]string, author string) (idbridge.Resolution, error) {
	r := idbridge.Resolution{Winner: idbridge.Winner(keep), By: author}
	if (keep == "") == (values == nil) {
		return r, problem.New(problem.Invalid, "").At("body", "expected either keep or values")
	}
	if values != nil {
		r.Winner, r.Value = idbridge.ValueWinner, *values
	}
	return r, nil
}

func (s *Server) conflictRoutes() {
	register(s, operation{
		method: http.MethodGet, path: "/conflicts/{id}", id: "read-conflict", summary: "One conflict: base and both values, winner, who and when", tag: "runs",
		need: []Permission{SyncApprove}, errors: []int{http.StatusNotFound},
	}, s.readConflict)
	register(s, operation{
		method: http.MethodPost, path: "/conflicts/resolve", id: "resolve-conflicts", tag: "runs", need: []Permission{SyncApprove},
		summary: "Decide all open conflicts of an attribute in the same way, up to 500 in one request",
	}, s.resolveConflicts)
	register(s, operation{
		method: http.MethodPost, path: "/conflicts/{id}/resolve", id: "resolve-conflict",
		summary: "Decide a conflict: one side's value, or another", tag: "runs", need: []Permission{SyncApprove},
		errors: []int{http.StatusNotFound, http.StatusConflict},
	}, s.resolveConflict)
	register(s, operation{
		method: http.MethodGet, path: "/conflicts", id: "list-conflicts", summary: "Attributes that both sides changed, differently", tag: "runs",
		need: []Permission{SyncApprove},
	}, s.listConflicts)
}
