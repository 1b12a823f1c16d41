package httpapi

import (
	"strconv"
	"strings"

	"github.com/idbridge/idbridge/httpapi/problem"
)

// etag returns the strong entity tag of a row version.
func etag(version int64) string { return `"` + strconv.FormatInt(version, 10) + `"` }

// matches tells whether a list of entity tags (If-Match, If-None-Match) names the tag. weak lets W/"…" count, as RFC 9110
// has it for If-None-Match and not for If-Match.
func matches(list, tag string, weak bool) bool {
	for one := range strings.SplitSeq(list, ",") {
		one = strings.TrimSpace(one)
		if weak {
			one = strings.TrimPrefix(one, "W/")
		}
		if one == tag || one == "*" {
			return true
		}
	}
	return false
}

// precondition checks If-Match against a row version. required tells whether it must be there: 428 when it is not; 412
// when it names another version.
func precondition(ifMatch string, version int64, required bool) error {
	switch {
	case ifMatch == "" && required:
		return problem.New(problem.PreconditionRequired, "")
	case ifMatch != "" && !matches(ifMatch, etag(version), false):
		return problem.New(problem.PreconditionFailed, "")
	}
	return nil
}

// stale turns the store's "it moved" into 412 when the client named a version.
func stale(err error, ifMatch string) error {
	p := problem.From(err)
	if p.Code == problem.Conflict && ifMatch != "" {
		return problem.New(problem.PreconditionFailed, "").Because(err)
	}
	return p
}
