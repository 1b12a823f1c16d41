package problem

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/idbridge/idbridge"
)

// Field is one fault of the input: where it is and what is wrong, never the value.
type Field struct {
	Location string `json:"location"`
	Message  string `json:"message"`
}

// Problem is what a caller is told about an error. It is itself an error. Cause is for the log alone.
type Problem struct {
	Type     string   `json:"type"`
	Title    string   `json:"title"`
	Status   int      `json:"status"`
	Detail   string   `json:"detail,omitempty"`
	Instance string   `json:"instance,omitempty" doc:"Request id; quote it to the operator."`
	Code     Slug     `json:"code"`
	Errors   []Field  `json:"errors,omitempty"`
	Missing  []string `json:"missing,omitempty" doc:"With profile-incomplete: the attributes that are not filled in."`

	Cause  error       `json:"-"`
	header http.Header // of the answer
}

// New makes a problem. Its detail is left out when the slug is a 5xx: those are generic.
func New(slug Slug, detail string) *Problem {
	k := known(slug)
	p := &Problem{Type: "urn:idbridge:problem:" + string(slug), Title: k.title, Status: k.status, Code: slug, Detail: detail}
	if p.Status >= http.StatusInternalServerError {
		p.Detail = k.detail
	}
	if p.Detail == "" {
		p.Detail = k.detail
	}
	return p
}

// From makes a problem out of any error. A Problem in the chain is returned as it is; else the outermost kind decides, and
// the message of that idbridge.Error is the detail, for statuses below 500.
func From(err error) *Problem {
	var p *Problem
	if errors.As(err, &p) {
		return p
	}
	slug := ofKind(idbridge.KindOf(err))
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		slug = Unavailable
	}
	p = New(slug, message(err))
	p.Cause = err
	if slug == Unavailable {
		p = p.After(retryLater)
	}
	return p
}

const retryLater = 5 * time.Second

// message returns the outermost text that is safe for a stranger.
func message(err error) string {
	var e *idbridge.Error
	for errors.As(err, &e) {
		if e.Msg != "" {
			return e.Msg
		}
		err = e.Err
	}
	return ""
}

// Error returns title and cause, for the log.
func (p *Problem) Error() string {
	s := p.Title
	if p.Detail != "" {
		s += ": " + p.Detail
	}
	if p.Cause != nil {
		s += ": " + p.Cause.Error()
	}
	return s
}

// Unwrap returns the cause.
func (p *Problem) Unwrap() error { return p.Cause }

// GetStatus returns the HTTP status, as huma asks for it.
func (p *Problem) GetStatus() int { return p.Status }

// GetHeaders returns the headers of the answer, as huma asks for them.
func (p *Problem) GetHeaders() http.Header { return p.header }

// ContentType turns application/json into the media type of problems.
func (p *Problem) ContentType(ct string) string {
	if strings.HasPrefix(ct, "application/json") {
		return MediaType
	}
	return ct
}

// MediaType is the type of a native problem's body.
const MediaType = "application/problem+json"

// With adds a header to the answer and returns the problem.
func (p *Problem) With(name, value string) *Problem {
	if p.header == nil {
		p.header = http.Header{}
	}
	p.header.Add(name, value)
	return p
}

// After tells the caller when to try again, in whole seconds, at least one.
func (p *Problem) After(d time.Duration) *Problem {
	seconds := max(1, int64((d+time.Second-1)/time.Second))
	return p.With("Retry-After", strconv.FormatInt(seconds, 10))
}

// Because keeps the cause for the log and returns the problem.
func (p *Problem) Because(err error) *Problem {
	p.Cause = err
	return p
}

// At adds a fault of the input. Only statuses below 500 show them.
func (p *Problem) At(location, msg string) *Problem {
	if p.Status < http.StatusInternalServerError {
		p.Errors = append(p.Errors, Field{location, msg})
	}
	return p
}
