package httpapi

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/httpapi/credential"
)

type auditInput struct {
	PageQuery
	User idbridge.UserID `query:"user" minimum:"1" maximum:"9007199254740991" doc:"Only what is about this user."`
}

// auditView is one row of the audit.
type auditView struct {
	ID      int64           `json:"id"`
	At      *time.Time      `json:"at"`
	Actor   string          `json:"actor" doc:"A user name, schedule, cli, or directory:NAME."`
	Action  string          `json:"action"`
	Target  string          `json:"target"`
	User    idbridge.UserID `json:"user,omitempty"`
	Result  string          `json:"result"`
	Reason  string          `json:"reason,omitempty"`
	Address string          `json:"address,omitempty"`
	Request string          `json:"request,omitempty"`
	Run     idbridge.RunID  `json:"run,omitempty"`
}

type auditOutput struct {
	PageLink
	Body struct {
		Items []auditView `json:"items"`
		Next  string      `json:"next,omitempty" doc:"The cursor of the next page; absent on the last one."`
	}
}

// listAudit reads the audit, newest first.
func (s *Server) listAudit(ctx context.Context, _ *credential.Caller, in *auditInput) (*auditOutput, error) {
	before, err := in.after("audit")
	if err != nil {
		return nil, err
	}
	rows, err := s.config.Store.Audit(ctx, idbridge.AuditFilter{Before: before, Limit: in.limit() + 1, User: in.User})
	if err != nil {
		return nil, err
	}
	out := &auditOutput{}
	if len(rows) > in.limit() {
		rows = rows[:in.limit()]
		out.Body.Next = next("audit", rows[len(rows)-1].ID)
		more := url.Values{}
		if in.User != 0 {
			more.Set("user", strconv.FormatInt(int64(in.User), 10))
		}
		out.Link = s.link("/audit", out.Body.Next, in.limit(), more)
	}
	out.Body.Items = make([]auditView, 0, len(rows))
	for i := range rows {
		a := &rows[i]
		out.Body.Items = append(out.Body.Items, auditView{
			a.ID, moment(a.At), a.Actor, a.Action, a.Target, a.User, a.Result, a.Reason, a.Address, a.Request, a.Run,
		})
	}
	return out, nil
}

func (s *Server) auditRoutes() {
	register(s, operation{
		method: http.MethodGet, path: "/audit", id: "list-audit", summary: "Who did what, newest first", tag: "audit", need: []Permission{AuditRead},
	}, s.listAudit)
}
