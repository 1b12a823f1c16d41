package httpapi

import (
	"context"
	"net/http"
	"time"

	"golang.org/x/time/rate"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/httpapi/credential"
	"github.com/idbridge/idbridge/httpapi/problem"
)

// An explanation asks directories while somebody waits, so it is bounded in time and in number: nobody shall keep a
// directory busy by asking about himself.
const (
	explainWait      = 20 * time.Second
	explainPerSecond = 5
	explainBurst     = 20
)

func newExplainLimit() *rate.Limiter { return rate.NewLimiter(explainPerSecond, explainBurst) }

type explainInput struct {
	UserPath
	Attribute idbridge.Attribute `query:"attribute" maxLength:"128" doc:"Only what is about this attribute."`
}

type explainMeInput struct {
	Attribute idbridge.Attribute `query:"attribute" maxLength:"128" doc:"Only what is about this attribute."`
}

type explainOutput struct{ Body explanationView }

func (s *Server) explainUser(ctx context.Context, _ *credential.Caller, in *explainInput) (*explainOutput, error) {
	e, err := s.explain(ctx, in.ID, in.Attribute)
	if err != nil {
		return nil, err
	}
	return &explainOutput{s.viewExplanation(&e, in.Attribute)}, nil
}

// explainMe tells a user about himself, without what is the operator's or another person's affair.
func (s *Server) explainMe(ctx context.Context, who *credential.Caller, in *explainMeInput) (*explainOutput, error) {
	e, err := s.explain(ctx, who.User(), in.Attribute)
	if err != nil {
		return nil, err
	}
	v := s.viewExplanation(&e, in.Attribute)
	v.Runs, v.NotDone = nil, []string{} // both may quote a directory's words
	for i := range v.Records {
		r := &v.Records[i]
		if r.Error != "" {
			r.Error = "The directory cannot be asked now."
		}
		for j := range r.Withheld {
			if r.Withheld[j].Holder != 0 {
				r.Withheld[j].Holder, r.Withheld[j].Why = 0, "Somebody else has this value."
			}
		}
		r.Scope.InBase.Reason, r.Scope.InFilter.Reason = "", ""
		if r.Backoff != nil {
			r.Backoff.Why = "The directory refused the change."
		}
	}
	return &explainOutput{v}, nil
}

// explain asks about a user. Errors: 404, 422 for an unknown attribute, 429, 503.
func (s *Server) explain(ctx context.Context, id idbridge.UserID, only idbridge.Attribute) (idbridge.Explanation, error) {
	if s.config.Explainer == nil {
		return idbridge.Explanation{}, problem.New(problem.NotServed, "")
	}
	if _, known := s.config.Schema[only]; only != "" && !known {
		return idbridge.Explanation{}, problem.New(problem.Invalid, "").At("query.attribute", "there is no such attribute")
	}
	if !s.explained.AllowN(s.config.Now(), 1) {
		return idbridge.Explanation{}, problem.New(problem.RateLimited, "Too many explanations are asked for; each asks the directories.").After(time.Second)
	}
	ctx, cancel := context.WithTimeout(ctx, explainWait)
	defer cancel()
	return s.config.Explainer.Explain(ctx, id)
}

func (s *Server) explainRoutes() {
	register(s, operation{
		method: http.MethodGet, path: "/users/{id}/explain", id: "explain-user", tag: "users", need: []Permission{UsersAdmin},
		summary: "Why a user is as he is: his records, each attribute's three sides, access, and what was not done",
		errors:  []int{http.StatusNotFound},
	}, s.explainUser)
	register(s, operation{
		method: http.MethodGet, path: "/me/explain", id: "explain-me", summary: "Why one is as one is", tag: "me", errors: []int{http.StatusNotFound},
	}, s.explainMe)
}
