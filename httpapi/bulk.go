package httpapi

import (
	"context"
	"errors"
	"time"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/httpapi/credential"
	"github.com/idbridge/idbridge/httpapi/problem"
)

// bulkWait is how long one request decides conflicts: less than the write timeout.
const bulkWait = 45 * time.Second

type bulkInput struct {
	Body struct {
		Attribute idbridge.Attribute `json:"attribute" minLength:"1" maxLength:"128" example:"title"`
		Keep      string             `json:"keep,omitempty" enum:"store,directory" example:"store" doc:"Whose value both sides shall have."`
		Values    *[]string          `json:"values,omitempty" maxItems:"100" doc:"Or these, instead of keep; none clears the attribute."`
		Open      bool               `json:"open" example:"true" doc:"Must be true: says that all open ones are meant."`
	}
}

type bulkOutput struct {
	Body struct {
		Resolved int           `json:"resolved" doc:"How many were decided."`
		Left     []refusalView `json:"left" doc:"Not decided, and why; a run looks at them again."`
		More     bool          `json:"more" doc:"It took too long for one request: send it again."`
	}
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
	limited, cancel := context.WithTimeout(ctx, bulkWait)
	defer cancel()
	decided, left, err := s.config.Store.ResolveConflicts(limited, in.Body.Attribute, r)
	out := &bulkOutput{}
	out.Body.More = errors.Is(limited.Err(), context.DeadlineExceeded) && len(decided) > 0
	if err != nil && !out.Body.More {
		return nil, err
	}
	out.Body.Resolved, out.Body.Left = len(decided), nonNil(viewRefusals(left))
	if len(decided) > 0 {
		s.push(ctx, decided[len(decided)-1].User)
	}
	return out, nil
}
