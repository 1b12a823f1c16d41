package httpapi

import (
	"encoding/json"
	"net/http"
	"strconv"
	"unicode/utf8"

	"github.com/idbridge/idbridge/httpapi/problem"
)

// dialect is the shape in which a route says what went wrong.
type dialect uint8

const (
	nativeDialect dialect = iota // RFC 9457
	oauthDialect                 // RFC 6749, section 5.2
	proxyDialect                 // 401 and 403 alone: a proxy makes an error of its own of anything else
)

// problem writes an error as the answer, in the dialect of the route.
func (s *Server) problem(x *exchange, err error) {
	p := *problem.From(err)
	p.Instance = x.id
	x.cause = p.Cause
	h := x.Header()
	if x.dialect == proxyDialect {
		p = forProxy(h, p)
	}
	s.limitHeaders(x, p.Status)
	for name, values := range p.GetHeaders() {
		h[name] = values
	}
	var answer any = &p
	h.Set("Content-Type", problem.MediaType)
	if x.dialect == oauthDialect {
		answer = oauthError{oauthCode(&p), p.Title}
		h.Set("Content-Type", "application/json")
	}
	body, err := json.Marshal(answer)
	if err != nil {
		x.cause = err
		x.WriteHeader(http.StatusInternalServerError)
		return
	}
	x.WriteHeader(p.Status)
	_, _ = x.Write(append(body, '\n')) // a client that went away
}

// limitHeaders tells how many failed sign-ins the client's address has left, where it matters.
func (s *Server) limitHeaders(x *exchange, status int) {
	if status != http.StatusUnauthorized && status != http.StatusTooManyRequests {
		return
	}
	h := x.Header()
	h["RateLimit-Policy"] = s.headers.policy
	left := s.resolver.Left(x.from, s.config.Now())
	h.Set("RateLimit", `"failures";r=`+strconv.Itoa(left)+`;t=60`)
}

// buffer is a pooled piece of memory that answers are appended to.
type buffer struct{ b []byte }

const keepBuffer = 16 << 10

func (s *Server) buffer() *buffer {
	if b, ok := s.buffers.Get().(*buffer); ok {
		b.b = b.b[:0]
		return b
	}
	return new(buffer)
}

func (s *Server) release(b *buffer) {
	if cap(b.b) <= keepBuffer {
		s.buffers.Put(b)
	}
}

// appendText appends s as a JSON string. What is not UTF-8 becomes U+FFFD, as encoding/json has it.
func appendText(b []byte, s string) []byte {
	const digits = "0123456789abcdef"
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && n == 1 {
				b = append(append(b, s[start:i]...), `\ufffd`...)
				start = i + 1
			}
			i += n
			continue
		}
		b = append(b, s[start:i]...)
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		default:
			b = append(b, '\\', 'u', '0', '0', digits[c>>4], digits[c&15])
		}
		i++
		start = i
	}
	return append(append(b, s[start:]...), '"')
}
