package httpapi

import (
	"encoding/base64"
	"net/url"
	"strconv"
	"strings"

	"github.com/idbridge/idbridge/httpapi/problem"
)

const defaultLimit = 100

// PageQuery are the parameters of every list. It is exported, as the other embedded types are, because huma looks into
// exported types alone.
type PageQuery struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"500" default:"100" doc:"How many at most."`
	Cursor string `query:"cursor" maxLength:"64" doc:"Where the page begins, as the one before said in next. Opaque."`
}

// PageLink is the header of a list that goes on.
type PageLink struct {
	Link string `header:"Link" doc:"The next page, rel=\"next\"."`
}

func (p *PageQuery) limit() int {
	if p.Limit == 0 {
		return defaultLimit
	}
	return p.Limit
}

// after reads the cursor: the id that the page before ended with, 0 for the first page. kind keeps cursors of different
// lists apart. Error: 400.
func (p *PageQuery) after(kind string) (int64, error) {
	text, err := p.afterText(kind)
	if err != nil || text == "" {
		return 0, err
	}
	if id, err := strconv.ParseInt(text, 10, 64); err == nil && id > 0 {
		return id, nil
	}
	return 0, errCursor()
}

// afterText does the same for a list whose ids are texts; "" for the first page.
func (p *PageQuery) afterText(kind string) (string, error) {
	if p.Cursor == "" {
		return "", nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(p.Cursor)
	if err == nil {
		if text, ok := strings.CutPrefix(string(raw), kind+":"); ok && text != "" {
			return text, nil
		}
	}
	return "", errCursor()
}

func errCursor() error { return problem.New(problem.Malformed, "The cursor is not one of this list.") }

// next makes the cursor that follows id.
func next(kind string, id int64) string { return nextText(kind, strconv.FormatInt(id, 10)) }

func nextText(kind, id string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(kind + ":" + id))
}

// link returns the Link header to the next page of path, with the list's own parameters kept.
func (s *Server) link(path, cursor string, limit int, more url.Values) string {
	if cursor == "" {
		return ""
	}
	q := url.Values{"cursor": {cursor}, "limit": {strconv.Itoa(limit)}}
	for name, values := range more {
		if len(values) > 0 && values[0] != "" {
			q[name] = values
		}
	}
	return s.linkNext(path, q)
}

// linkNext returns the Link header to the next page of path.
func (s *Server) linkNext(path string, q url.Values) string {
	return "<" + strings.TrimSuffix(s.config.PublicURL, "/") + base + path + "?" + q.Encode() + `>; rel="next"`
}
