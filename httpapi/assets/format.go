package assets

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/idbridge/idbridge/httpapi/problem"
)

// format is how an answer is written. The zero format is plain JSON.
type format struct {
	xml, pretty bool
	text        bool // text/xml, for clients that take no application/xml
}

// formatOf finds the format of an answer: fmt beats Accept, and JSON is what nobody chose. Errors, together with JSON: 400 for
// an unknown fmt, 406 for an Accept that takes neither.
func formatOf(q query, h http.Header) (format, error) {
	value, there, err := q.one("fmt")
	if err != nil {
		return format{}, err
	}
	if there {
		return parseFormat(value)
	}
	accept := h["Accept"]
	if len(accept) == 0 {
		return format{}, nil
	}
	return negotiate(strings.Join(accept, ","))
}

// parseFormat reads the value of fmt, decoded: exactly json, xml, json;pretty or xml;pretty. Error: *problem.Problem, 400.
func parseFormat(value string) (format, error) {
	switch value {
	case "json":
		return format{}, nil
	case "json;pretty":
		return format{pretty: true}, nil
	case "xml":
		return format{xml: true}, nil
	case "xml;pretty":
		return format{xml: true, pretty: true}, nil
	}
	return format{}, malformed("fmt takes json, xml, json;pretty or xml;pretty.")
}

// preference is how much a client wants a type: by quality, then by how exactly it named it.
type preference struct {
	quality float64
	exact   int
}

// take notes what one range says of the type; the most exact range counts.
func (p *preference) take(quality float64, exact int) {
	if exact > p.exact {
		*p = preference{quality, exact}
	}
}

func (p preference) over(other preference) bool {
	return p.quality > other.quality || p.quality == other.quality && p.exact > other.exact
}

// negotiate reads an Accept header (RFC 9110, 12.5.1).
func negotiate(accept string) (format, error) {
	var asJSON, asXML, asText preference
	for one := range strings.SplitSeq(accept, ",") {
		kind, params, _ := strings.Cut(one, ";")
		q := quality(params)
		switch strings.ToLower(strings.TrimSpace(kind)) {
		case "application/json":
			asJSON.take(q, 3)
		case "application/xml":
			asXML.take(q, 3)
		case "text/xml":
			asText.take(q, 3)
		case "application/*":
			asJSON.take(q, 2)
			asXML.take(q, 2)
		case "text/*":
			asText.take(q, 2)
		case "*/*":
			asJSON.take(q, 1)
			asXML.take(q, 1)
			asText.take(q, 1)
		}
	}
	best, f := asJSON, format{}
	if asXML.over(best) {
		best, f = asXML, format{xml: true}
	}
	if asText.over(best) {
		best, f = asText, format{xml: true, text: true}
	}
	if best.quality <= 0 {
		p := problem.New(problem.Malformed, "This is served as application/json and as application/xml.")
		p.Status = http.StatusNotAcceptable
		return format{}, p
	}
	return f, nil
}

// quality reads the q of a media range: 1 when there is none, 0 when it is no number from 0 to 1.
func quality(params string) float64 {
	for one := range strings.SplitSeq(params, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(one), "=")
		if !strings.EqualFold(strings.TrimSpace(name), "q") {
			continue
		}
		q, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
		if err != nil || !(q >= 0 && q <= 1) {
			return 0
		}
		return q
	}
	return 1
}

func (f format) mediaType() string {
	switch {
	case f.text:
		return "text/xml; charset=utf-8"
	case f.xml:
		return "application/xml; charset=utf-8"
	}
	return "application/json"
}
