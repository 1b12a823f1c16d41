package httpapi

import (
	"context"
	"fmt"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/httpapi/credential"
	"github.com/idbridge/idbridge/httpapi/problem"
)

// bulkLimit is how many conflicts one request decides: each is a transaction of its own.
const bulkLimit = 500

type bulkInput struct {
	Body struct {
		Attribute idbridge.Attribute `json:"attribute" minLength:"1" maxLength:"128"`
		Keep      string             `json:"keep,omitempty" enum:"store,directory" doc:"Whose value both sides shall have."`
		Values    *[]string          `json:"values,omitempty" maxItems:"100" doc:"Or these, instead of keep; none clears the attribute."`
		Open      bool               `json:"open" doc:"Must be true: says that all open ones are meant."`

		After idbridge.ConflictID `json:"after,omitempty" minimum:"0" maximum:"9007199254740991" doc:"Only those with a larger number: next of the answer before."`
	}
}

type bulkOutput struct {
	Body struct {
		Resolved []idbridge.ConflictID `json:"resolved"`
		Left     []leftView            `json:"left" doc:"Not decided, and why; a run looks at them again."`
		Next     idbridge.ConflictID   `json:"next,omitempty" doc:"There are more: send the same request again with this as after."`
	}
}

// leftView is a conflict that could not be decided.
type leftView struct {
	ID  idbridge.ConflictID `json:"id"`
	Why string              `json:"why"`
}

// resolveConflicts decides every open conflict of an attribute in the same way. One that moved meanwhile is left and named.
func (s *Server) resolveConflicts(ctx context.Context, who *credential.Caller, in *bulkInput) (*bulkOutput, error) {
	r, err := resolution(in.Body.Keep, in.Body.Values, by(who))
	if err != nil {
		return nil, err
	}
	if !in.Body.Open {
		return nil, problem.New(problem.Invalid, "").At("body.open", "must be true: only open conflicts can be decided")
	}
	if _, known := s.config.Schema[in.Body.Attribute]; !known {
		return nil, problem.New(problem.Invalid, "").At("body.attribute", "there is no such attribute")
	}
	out := &bulkOutput{}
	out.Body.Resolved, out.Body.Left = []idbridge.ConflictID{}, []leftView{}
	list, err := s.config.Store.Conflicts(ctx, idbridge.ConflictFilter{Open: true, Attribute: in.Body.Attribute, After: in.Body.After, Limit: bulkLimit + 1})
	if err != nil {
		return nil, err
	}
	if len(list) > bulkLimit {
		list, out.Body.Next = list[:bulkLimit], list[bulkLimit-1].ID
	}
	last := idbridge.UserID(0)
	for i := range list {
		r.Conflict = list[i].ID
		c, err := s.config.Store.ResolveConflict(ctx, r)
		if k := idbridge.KindOf(err); k == idbridge.Conflicting || k == idbridge.NotFound {
			out.Body.Left = append(out.Body.Left, leftView{r.Conflict, problem.From(err).Detail})
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("resolve conflict %d, after %d others: %w", r.Conflict, len(out.Body.Resolved), err)
		}
		out.Body.Resolved = append(out.Body.Resolved, c.ID)
		last = c.User
	}
	if last != 0 {
		s.push(ctx, last)
	}
	return out, nil
}
