package httpapi

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/httpapi/credential"
	"github.com/idbridge/idbridge/httpapi/problem"
)

const (
	mostWait     = 30 * time.Second // of a long poll
	heartbeat    = 15 * time.Second // between comments of a silent stream
	movesPage    = 500
	writeLimit   = 10 * time.Second // for one event, or the client is gone
	followsMost  = 2000             // polls and streams at once
	followsEach  = 20               // of one user
	followsAgain = 5 * time.Second
)

// follows counts the requests that wait, and ends them when the server stops.
type follows struct {
	mu    sync.Mutex
	all   int
	users map[idbridge.UserID]int
	once  sync.Once
	ended chan struct{}
}

func newFollows() *follows {
	return &follows{users: map[idbridge.UserID]int{}, ended: make(chan struct{})}
}

func (f *follows) enter(user idbridge.UserID) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.all >= followsMost || f.users[user] >= followsEach {
		return false
	}
	f.all++
	f.users[user]++
	return true
}

func (f *follows) leave(user idbridge.UserID) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.all--
	if f.users[user]--; f.users[user] == 0 {
		delete(f.users, user)
	}
}

// stop ends every stream and poll.
func (f *follows) stop() { f.once.Do(func() { close(f.ended) }) }

// changesView is a piece of the log of changes.
type changesView struct {
	Revision int64           `json:"revision" doc:"Up to which this reaches: the next since."`
	Changes  []idbridge.Move `json:"changes"`
}

// changes answers what moved: as one answer that waits for it, or as a stream of events, one for each revision.
func (s *Server) changes(w http.ResponseWriter, r *http.Request) {
	x, ok := w.(*exchange)
	if !ok {
		http.Error(w, "", http.StatusInternalServerError)
		return
	}
	if err := s.follow(x, r); err != nil {
		s.problem(x, err)
	}
}

func (s *Server) follow(x *exchange, r *http.Request) error {
	err := s.authenticate(x, r)
	if err == nil {
		err = s.mayAny(&x.who, []Permission{RolesCheck})
	}
	if err == nil {
		err = acceptable(r)
	}
	if err != nil {
		return err
	}
	stream := strings.Contains(r.Header.Get("Accept"), "text/event-stream")
	since, wait, err := readSince(r, stream)
	if err != nil {
		return err
	}
	user := x.who.User()
	if !s.follows.enter(user) {
		return problem.New(problem.RateLimited, "Too many requests wait for changes.").After(followsAgain)
	}
	defer s.follows.leave(user)
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	go func() { // ends with the request
		select {
		case <-s.follows.ended:
			cancel()
		case <-ctx.Done():
		}
	}()
	control := http.NewResponseController(x)
	_ = control.SetReadDeadline(time.Time{}) // the request is read; the server's limit would end the wait
	if since < 0 {
		if since, err = s.config.Store.Revision(ctx); err != nil {
			return err
		}
		wait = 0
	}
	if stream {
		return s.stream(ctx, x, control, since)
	}
	return s.poll(ctx, x, r, since, wait)
}

// readSince reads where to begin, -1 for now, and how long to wait. Errors: 400, 422.
func readSince(r *http.Request, stream bool) (since int64, wait time.Duration, err error) {
	since = -1
	p := problem.New(problem.Invalid, "")
	for name, values := range r.URL.Query() {
		n, ok := number([]byte(values[0]))
		switch {
		case name == "since" && ok:
			since = n
		case name == "wait" && ok && n <= int64(mostWait/time.Second):
			wait = time.Duration(n) * time.Second
		case name == "since" || name == "wait":
			p.At("query."+name, "expected a whole number within its bounds")
		default:
			p.At("query", "unknown query parameter")
		}
	}
	if last := r.Header.Get("Last-Event-Id"); last != "" && stream {
		n, ok := number([]byte(last))
		if since = n; !ok {
			p.At("header.Last-Event-ID", "expected a revision")
		}
	}
	if len(p.Errors) > 0 {
		return 0, 0, p
	}
	return since, wait, nil
}

// moves reads what moved after a revision, and up to which one that reaches. Error: 410.
func (s *Server) moves(ctx context.Context, since int64) (*changesView, error) {
	moves, oldest, now, err := s.config.Store.Moves(ctx, since, movesPage)
	switch {
	case err != nil:
		return nil, err
	case since < oldest || since > now:
		return nil, problem.New(problem.SinceTooOld, "")
	}
	if len(moves) >= movesPage { // there is more
		now = moves[len(moves)-1].Revision
	}
	for i := range moves {
		moves[i].At = moves[i].At.UTC()
	}
	return &changesView{Revision: now, Changes: nonNil(moves)}, nil
}

// poll answers at once when something moved, else when something does, or when the time is over.
func (s *Server) poll(ctx context.Context, x *exchange, r *http.Request, since int64, wait time.Duration) error {
	limited, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	var v *changesView
	for {
		var err error
		if v, err = s.moves(ctx, since); err != nil {
			return err
		}
		if len(v.Changes) > 0 || wait == 0 {
			break
		}
		if err := s.config.Store.WaitRevision(limited, v.Revision+1); err != nil {
			if ctx.Err() != nil || limited.Err() == nil {
				return err
			}
			break
		}
		if err := s.stillMay(ctx, &x.who); err != nil {
			return err
		}
	}
	tag := etag(v.Revision)
	x.Header().Set("ETag", tag)
	if given := r.Header.Get("If-None-Match"); given != "" && len(v.Changes) == 0 && matches(given, tag, true) {
		x.WriteHeader(http.StatusNotModified)
		return nil
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("write changes: %w", err)
	}
	x.Header()["Content-Type"] = s.headers.json
	_, _ = x.Write(append(raw, '\n')) // a client that went away
	return nil
}

// stream sends an event for each revision that moved something: whole, so that whoever goes on after the last one he got
// misses nothing and sees nothing twice. It ends with the caller's right to see it.
func (s *Server) stream(ctx context.Context, x *exchange, control *http.ResponseController, since int64) error {
	v, err := s.moves(ctx, since)
	if err != nil {
		return err
	}
	x.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	x.Header().Set("X-Accel-Buffering", "no") // nginx would keep events back
	x.WriteHeader(http.StatusOK)
	for {
		out, err := appendEvents(nil, v)
		if err != nil {
			return nil //nolint:nilerr // the answer has begun: it ends here
		}
		_ = control.SetWriteDeadline(time.Now().Add(writeLimit)) //nolint:forbidigo // the connection's clock, whatever the config's is
		if _, err := x.Write(out); err != nil || control.Flush() != nil {
			return nil //nolint:nilerr // the client went away
		}
		quiet, cancel := context.WithTimeout(ctx, heartbeat)
		err = s.config.Store.WaitRevision(quiet, v.Revision+1)
		silent := quiet.Err() != nil
		cancel()
		if ctx.Err() != nil || err != nil && !silent || s.stillMay(ctx, &x.who) != nil {
			return nil //nolint:nilerr // the same: the client comes again and is told why
		}
		if v, err = s.moves(ctx, v.Revision); err != nil {
			return nil //nolint:nilerr // the same
		}
	}
}

// appendEvents writes the moves as events, one for each revision, and a comment when there are none.
func appendEvents(out []byte, v *changesView) ([]byte, error) {
	if len(v.Changes) == 0 {
		return append(out, ": still here\n\n"...), nil
	}
	for from := 0; from < len(v.Changes); {
		to := from
		for to < len(v.Changes) && v.Changes[to].Revision == v.Changes[from].Revision {
			to++
		}
		revision := v.Changes[from].Revision
		raw, err := json.Marshal(changesView{revision, v.Changes[from:to]})
		if err != nil {
			return nil, fmt.Errorf("write changes: %w", err)
		}
		out = append(out, "id: "...)
		out = strconv.AppendInt(out, revision, 10)
		out = append(append(append(out, "\nevent: changes\ndata: "...), raw...), "\n\n"...)
		from = to
	}
	return out, nil
}

// stillMay proves again, without asking for the credential, that a caller who waits may see what he waits for.
func (s *Server) stillMay(ctx context.Context, who *credential.Caller) error {
	access, err := s.config.Store.Access(ctx, who.User())
	if err != nil {
		return err
	}
	who.Access = access
	if who.Key != "" {
		key, _, err := s.config.Store.KeyAccess(ctx, who.Key)
		if err != nil {
			return err
		}
		if who.Scopes = key.Scopes; key.State(s.config.Now()) != idbridge.KeyActive {
			return credential.Refuse("the key ended while its request waited")
		}
	}
	if who.Session != nil && who.How != credential.ByKey && who.How != credential.ByPassword {
		if _, _, err := s.config.Store.SessionByID(ctx, who.Session.ID); err != nil {
			return credential.Refuse("the session ended while its request waited")
		}
	}
	if !access.Exists || !access.May {
		return credential.Refuse("the user lost his access while his request waited")
	}
	return s.mayAny(who, []Permission{RolesCheck})
}

func (s *Server) changeRoutes() {
	path := base + "/changes"
	s.mux.HandleFunc("GET "+path, s.changes)
	whole := func(name, in, text string) *huma.Param {
		least := 0.0
		return &huma.Param{Name: name, In: in, Description: text, Schema: &huma.Schema{Type: huma.TypeInteger, Minimum: &least}}
	}
	responses := s.responses(reflect.TypeFor[changesView](), http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusGone,
		http.StatusUnprocessableEntity, http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusServiceUnavailable)
	responses["200"].Content["text/event-stream"] = &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString}}
	responses["304"] = &huma.Response{Description: "Nothing moved"}
	s.api.OpenAPI().AddOperation(&huma.Operation{
		Method: http.MethodGet, Path: path, OperationID: "follow-changes", Tags: []string{"checks"}, Security: security(),
		Summary:     "What moved since a revision: waits for it, or streams it to whoever accepts text/event-stream",
		Description: permissionText([]Permission{RolesCheck}),
		Parameters: []*huma.Param{
			whole("since", "query", "The revision that is known; absent: now."), whole("wait", "query", "Seconds, at most 30."),
			whole("Last-Event-ID", "header", "Of a stream: where to go on."),
		},
		Responses: responses,
	})
}
