package assets

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/idbridge/idbridge/httpapi/problem"
)

// maxPairs bounds the variables of a URL; no documented request has more than four.
const maxPairs = 64

// pair is one variable of a URL, decoded.
type pair struct{ key, value string }

// query is the variables of a URL in their order.
type query []pair

// parseQuery takes a raw query apart at & alone. url.ParseQuery drops a pair with a semicolon, and fmt=json;pretty has one.
// Error: 400 for a broken escape or too many variables.
func parseQuery(raw string) (query, error) {
	var q query
	for raw != "" {
		var one string
		one, raw, _ = strings.Cut(raw, "&")
		if one == "" {
			continue
		}
		key, value, _ := strings.Cut(one, "=")
		k, err := url.QueryUnescape(key)
		if err != nil {
			return nil, malformed("The query cannot be read.")
		}
		v, err := url.QueryUnescape(value)
		if err != nil || len(q) == maxPairs {
			return nil, malformed("The query cannot be read.")
		}
		q = append(q, pair{k, v})
	}
	return q, nil
}

// one returns the value of a variable. Error: 400 when it comes twice.
func (q query) one(key string) (value string, there bool, err error) {
	for _, p := range q {
		if p.key != key {
			continue
		}
		if there {
			return "", true, malformed("A variable comes twice: " + key + ".")
		}
		value, there = p.value, true
	}
	return value, there, nil
}

// number reads a variable of digits. Error: 400.
func (q query) number(key string, least, most int) (n int, there bool, err error) {
	value, there, err := q.one(key)
	if err != nil || !there {
		return 0, there, err
	}
	u, bad := strconv.ParseUint(value, 10, 31)
	if bad != nil || int(u) < least || int(u) > most {
		return 0, true, malformed(key + " must be a number from " + strconv.Itoa(least) + " to " + strconv.Itoa(most) + ".")
	}
	return int(u), true, nil
}

// flag reads a variable that takes a few words exactly. Error: 400.
func (q query) flag(key string, words ...string) (value string, err error) {
	value, there, err := q.one(key)
	if err != nil || !there {
		return "", err
	}
	for _, w := range words {
		if value == w {
			return w, nil
		}
	}
	return "", malformed(key + " takes " + strings.Join(words, " or ") + ".")
}

const (
	maxPage  = 500
	maxStart = 1<<31 - 1
)

// span is the part of the list that was asked for; size 0 is all of it.
type span struct {
	start int64
	size  int
}

// span reads the paging variables: a size, and with it a page or an offset.
func (q query) span() (span, error) {
	size, sized, err := q.number("query.pagesize", 1, maxPage)
	if err != nil {
		return span{}, err
	}
	page, paged, err := q.number("query.page", 0, maxStart)
	if err != nil {
		return span{}, err
	}
	offset, moved, err := q.number("query.offset", 0, maxStart)
	switch {
	case err != nil:
		return span{}, err
	case paged && moved:
		return span{}, malformed("query.page and query.offset exclude each other.")
	case (paged || moved) && !sized:
		return span{}, malformed("query.page and query.offset need query.pagesize.")
	}
	return span{start: int64(page)*int64(size) + int64(offset), size: size}, nil
}

func malformed(detail string) *problem.Problem { return problem.New(problem.Malformed, detail) }

// guard refuses a GET that changes something when a page of another site, or a browser that guesses ahead, sends it.
func guard(r *http.Request) error {
	for _, site := range r.Header["Sec-Fetch-Site"] {
		if s := strings.ToLower(strings.TrimSpace(site)); s == "cross-site" || s == "same-site" {
			return problem.New(problem.Forbidden, "Not from another site's page.")
		}
	}
	for _, name := range [...]string{"Sec-Purpose", "Purpose", "X-Purpose", "X-Moz"} {
		for _, v := range r.Header[name] {
			if strings.Contains(strings.ToLower(v), "prefetch") {
				return malformed("Not ahead of time.")
			}
		}
	}
	return nil
}
