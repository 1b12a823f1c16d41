package httpapi

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/httpapi/credential"
	"github.com/idbridge/idbridge/httpapi/problem"
)

// directoryView is a directory: how its runs go, and what waits in it.
type directoryView struct {
	Name         string                `json:"name"`
	Writable     bool                  `json:"writable" doc:"Takes edits from the store."`
	Login        bool                  `json:"login" doc:"Checks passwords."`
	Records      int                   `json:"records" doc:"In the last complete listing."`
	Links        int                   `json:"links" doc:"Records that are tied to a user and not missing."`
	LastComplete *time.Time            `json:"lastCompleteAt"`
	LastRun      *runView              `json:"lastRun" doc:"The newest, of whatever kind; null before the first."`
	Next         *time.Time            `json:"nextRunAt" doc:"Of the schedule; null when nothing is scheduled here."`
	HeldPlan     string                `json:"heldPlan,omitempty" doc:"Hash of the plan that waits for a person."`
	Alarm        string                `json:"alarm,omitempty" doc:"What the last run complained about."`
	Restored     *time.Time            `json:"restoredAt,omitempty" doc:"When the store was found to be an older copy; until somebody accepts it nothing is removed."`
	Waiting      idbridge.StatusCounts `json:"waiting"`
}

type directoriesOutput struct {
	Body struct {
		Items []directoryView `json:"items"`
	}
}

func (s *Server) listDirectories(ctx context.Context, _ *credential.Caller, _ *empty) (*directoriesOutput, error) {
	out := &directoriesOutput{}
	out.Body.Items = make([]directoryView, 0, len(s.config.Directories))
	for i := range s.config.Directories {
		v, err := s.viewDirectory(ctx, &s.config.Directories[i])
		if err != nil {
			return nil, err
		}
		out.Body.Items = append(out.Body.Items, v)
	}
	return out, nil
}

func (s *Server) viewDirectory(ctx context.Context, d *Directory) (directoryView, error) {
	source, population, counts, err := s.config.Store.Status(ctx, d.Name)
	if err != nil {
		return directoryView{}, err
	}
	runs, err := s.config.Store.Runs(ctx, idbridge.RunFilter{Directory: d.Name, Limit: 1})
	if err != nil {
		return directoryView{}, err
	}
	v := directoryView{
		Name: d.Name, Writable: d.Policy.Writable, Login: d.Login != nil, Records: source.Records, Links: population.Links,
		LastComplete: moment(source.Complete), HeldPlan: source.Held, Alarm: source.Alarm, Restored: moment(source.Restored), Waiting: counts,
	}
	if len(runs) > 0 {
		last := viewRun(&runs[0])
		v.LastRun = &last
	}
	if s.config.Timetable != nil {
		v.Next = moment(s.config.Timetable.Next(d.Name))
	}
	return v, nil
}

// quarantineView is one record, or one value of it, that cannot be used.
type quarantineView struct {
	Record    string             `json:"record" doc:"The record's id in the directory; empty when the id itself is missing or shared."`
	Locator   string             `json:"locator,omitempty"`
	User      idbridge.UserID    `json:"user,omitempty" doc:"Who is linked to it."`
	Attribute idbridge.Attribute `json:"attribute,omitempty" doc:"Absent when the whole record is unusable."`
	Value     *valueSet          `json:"value,omitempty" doc:"The value that is not taken, as a set of one."`
	Why       string             `json:"why"`
	Since     *time.Time         `json:"since"`
	Attempts  int                `json:"attempts,omitempty" doc:"Writes that the directory refused in a row."`
	Until     *time.Time         `json:"until,omitempty" doc:"It is not asked to take them before."`
}

type quarantineInput struct {
	Directory string `path:"directory" maxLength:"128"`
	PageQuery
}

type quarantineOutput struct {
	PageLink
	Body struct {
		Items []quarantineView `json:"items"`
		Next  string           `json:"next,omitempty"`
	}
}

// listQuarantine shows what cannot be used, by record. A cursor says how many rows came before: they are few, and move only
// with a run.
func (s *Server) listQuarantine(ctx context.Context, _ *credential.Caller, in *quarantineInput) (*quarantineOutput, error) {
	if s.policies[in.Directory] == nil {
		return nil, problem.New(problem.NotFound, "There is no such directory.")
	}
	after, err := in.after("quarantine")
	if err != nil {
		return nil, err
	}
	list, err := s.config.Store.Quarantine(ctx, in.Directory)
	if err != nil {
		return nil, err
	}
	list = list[min(after, int64(len(list))):]
	out := &quarantineOutput{}
	if len(list) > in.limit() {
		list = list[:in.limit()]
		out.Body.Next = next("quarantine", after+int64(len(list)))
		out.Link = s.link("/directories/"+url.PathEscape(in.Directory)+"/quarantine", out.Body.Next, in.limit(), nil)
	}
	out.Body.Items = make([]quarantineView, 0, len(list))
	for i := range list {
		q := &list[i]
		v := quarantineView{
			Record: q.Link.ID, Locator: q.Locator, User: q.User, Attribute: q.Attribute, Why: q.Why, Since: moment(q.Since),
			Attempts: q.Attempts, Until: moment(q.Until),
		}
		if q.Value != "" {
			v.Value = &valueSet{q.Value}
		}
		out.Body.Items = append(out.Body.Items, v)
	}
	return out, nil
}

// healthView is one finding about the bridge.
type healthView struct {
	Colour idbridge.Colour `json:"colour" enum:"green,yellow,red"`
	What   string          `json:"what" doc:"A directory's name, store, or audit."`
	Name   string          `json:"name" doc:"Stable, as in the metric idbridge_health."`
	Why    string          `json:"why"`
	Fix    string          `json:"fix,omitempty" doc:"What to do."`
}

type healthOutput struct {
	Body struct {
		Colour idbridge.Colour `json:"colour" enum:"green,yellow,red" doc:"The worst of all."`
		Items  []healthView    `json:"items" doc:"Worst first."`
	}
}

func (s *Server) healthDetails(ctx context.Context, _ *credential.Caller, _ *empty) (*healthOutput, error) {
	if s.config.Doctor == nil {
		return nil, problem.New(problem.NotServed, "")
	}
	found, err := s.config.Doctor.Health(ctx)
	if err != nil {
		return nil, err
	}
	out := &healthOutput{}
	out.Body.Colour, out.Body.Items = idbridge.Green, make([]healthView, 0, len(found))
	for _, h := range found {
		out.Body.Items = append(out.Body.Items, healthView(h))
		if severity(h.Colour) > severity(out.Body.Colour) {
			out.Body.Colour = h.Colour
		}
	}
	return out, nil
}

// severity is a colour as a number, as the metric has it: 0, 1, 2. What is not known is as bad as red.
func severity(c idbridge.Colour) int {
	switch c {
	case idbridge.Green:
		return 0
	case idbridge.Yellow:
		return 1
	case idbridge.Red:
	}
	return 2
}

func (s *Server) directoryRoutes() {
	const tag = "runs"
	read := []Permission{SyncApprove, SyncRun}
	register(s, operation{
		method: http.MethodGet, path: "/directories", id: "list-directories", summary: "Directories: how their runs go, and what waits in each", tag: tag,
		need: read,
	}, s.listDirectories)
	register(s, operation{
		method: http.MethodGet, path: "/directories/{directory}/quarantine", id: "list-quarantine", tag: tag, need: read,
		summary: "Records and values of a directory that cannot be used, and why; their last good state is kept", errors: []int{http.StatusNotFound},
	}, s.listQuarantine)
	register(s, operation{
		method: http.MethodPost, path: "/directories/{directory}/sync", id: "start-run", summary: "Start a run; does not wait for its end", tag: tag,
		need: []Permission{SyncRun}, status: http.StatusAccepted, errors: []int{http.StatusNotFound, http.StatusConflict},
	}, s.startRun)
	register(s, operation{
		method: http.MethodGet, path: "/health/details", id: "health-details", summary: "What is wrong, why, and what to do", tag: "health", need: read,
	}, s.healthDetails)
}
