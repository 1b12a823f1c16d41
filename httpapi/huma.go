package httpapi

import (
	"cmp"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/danielgtaylor/huma/v2/validation"

	"github.com/idbridge/idbridge/httpapi/problem"
	"github.com/idbridge/idbridge/httpapi/strict"
)

const base = "/api/v1"

// humaOnce guards huma's settings, which are package variables there: they are the same for every Server of a process.
var humaOnce sync.Once //nolint:gochecknoglobals // huma keeps these settings in globals

// setHuma replaces huma's errors, which echo the offending value and put a handler's raw error text into a 500, and
// makes member names exact.
func setHuma() {
	huma.ValidateStrictCasing = true
	huma.NewError = func(status int, msg string, errs ...error) huma.StatusError {
		return fromHuma(status, msg, errs)
	}
	huma.NewErrorWithContext = func(ctx huma.Context, status int, msg string, errs ...error) huma.StatusError {
		p := fromHuma(status, msg, errs)
		if x, ok := exchangeOf(ctx); ok {
			p.Instance = x.id
			x.cause = p.Cause
		}
		return p
	}
}

// fromHuma makes a problem of what huma found wrong: places and faults, never values; of a 5xx nothing but the cause, for
// the log.
func fromHuma(status int, msg string, errs []error) *problem.Problem {
	p := problem.New(problem.OfStatus(status), "")
	if p.Status >= http.StatusInternalServerError {
		if len(errs) > 0 {
			p.Cause = errs[0]
		}
		return p
	}
	if p.Status == http.StatusBadRequest && msg != "" && len(errs) == 0 {
		p.Detail = msg
	}
	const most = 20
	for _, err := range errs {
		d, ok := err.(huma.ErrorDetailer) // huma hands the details unwrapped
		if !ok || d.ErrorDetail() == nil || len(p.Errors) == most {
			continue
		}
		msg := d.ErrorDetail().Message
		if msg == validation.MsgExpectedMatchAtLeastOneSchema { // the only choice there is: the values of an attribute
			msg = "expected a text, null, or a list of texts"
		}
		p.At(place(d.ErrorDetail().Location), msg)
	}
	slices.SortFunc(p.Errors, func(a, b problem.Field) int {
		return cmp.Or(cmp.Compare(a.Location, b.Location), cmp.Compare(a.Message, b.Message))
	})
	return p
}

// place keeps a location readable and harmless: a segment that does not look like a member's name (letters, then digits or
// an index) becomes "?", since a client may have put anything there, a key for instance.
func place(location string) string {
	const deepest = 8
	segments := strings.Split(location, ".")
	if len(segments) > deepest {
		segments = append(segments[:deepest], "?")
	}
	for i, segment := range segments {
		if !plainName(segment) {
			segments[i] = "?"
		}
	}
	return strings.Join(segments, ".")
}

func plainName(segment string) bool {
	const longest = 24
	if segment == "" || len(segment) > longest || segment[0] < 'a' || segment[0] > 'z' {
		return false
	}
	tail := strings.TrimLeft(segment, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-")
	return strings.Trim(tail, "0123456789[]") == ""
}

// newHuma makes the API on the mux. There are no schema links, no documentation page (its scripts come from elsewhere),
// and no format but JSON.
func newHuma(mux humago.Mux, version, publicURL string) huma.API {
	humaOnce.Do(setHuma)
	format := huma.Format{
		Marshal: func(w io.Writer, v any) error {
			enc := json.NewEncoder(w)
			enc.SetEscapeHTML(false)
			return enc.Encode(v) //nolint:wrapcheck // huma classifies it
		},
		Unmarshal: strict.Unmarshal,
	}
	c := huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info: &huma.Info{
				Title: "idbridge", Version: version,
				Description: "Whose key is this, what may this user do, and the administration of users, keys, roles and runs.",
			},
			Components: &huma.Components{
				Schemas: huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer),
				SecuritySchemes: map[string]*huma.SecurityScheme{
					"key":    {Type: "apiKey", In: "header", Name: "X-API-KEY", Description: "An API key in any of its three renderings."},
					"bearer": {Type: "http", Scheme: "bearer", Description: "An API key."},
					"basic":  {Type: "http", Scheme: "basic", Description: "User name, and his password or an API key of his."},
				},
			},
		},
		Formats:                      map[string]huma.Format{"application/json": format, "json": format},
		DefaultFormat:                "application/json",
		RejectUnknownQueryParameters: true,
	}
	if publicURL != "" {
		c.Servers = []*huma.Server{{URL: strings.TrimSuffix(publicURL, "/")}}
	}
	return humago.New(mux, c)
}

// exchangeOf returns the exchange that a huma context stands for.
func exchangeOf(ctx huma.Context) (*exchange, bool) {
	_, w := humago.Unwrap(ctx)
	x, ok := w.(*exchange)
	return x, ok
}
