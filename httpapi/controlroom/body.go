package controlroom

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/httpapi/problem"
	"github.com/idbridge/idbridge/httpapi/strict"
)

const maxBody = 16 << 10

// body reads a whole body. Errors: 400, 413.
func body(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var long *http.MaxBytesError
	switch {
	case errors.As(err, &long):
		return nil, problem.New(problem.TooLarge, "")
	case err != nil:
		return nil, malformed("The body did not arrive.").Because(err)
	}
	return data, nil
}

// typed refuses a body that is not declared as JSON in UTF-8.
func typed(r *http.Request) error {
	kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	charset, told := params["charset"]
	if err != nil || kind != "application/json" || told && !strings.EqualFold(charset, "utf-8") {
		return problem.New(problem.UnsupportedMediaType, "")
	}
	return nil
}

// members shows the members of a JSON object. An unescaped backslash has a code of its own: keys of old Control Rooms hold
// backslashes, and whoever pastes one should learn what is wrong. Nothing of the body is quoted.
func members(data []byte, visit func(name string, value []byte) error) error {
	err := strict.Members(data, visit)
	var fault *strict.Fault
	if !errors.As(err, &fault) {
		return err
	}
	p := malformed("The body is not acceptable JSON: " + fault.Error() + ".")
	if fault.Why == "an unknown escape" {
		p = malformed("A backslash in a JSON string is written twice.")
		p.Code = badEscape
	}
	return p
}

// text reads a member that is a string, or null. Error: 400.
func text(name string, value []byte) (string, error) {
	if string(value) == "null" {
		return "", nil
	}
	s, ok := strict.Text(value)
	if !ok {
		return "", malformed(name + " must be a string.")
	}
	return s, nil
}

// login is what a client signs in with.
type login struct {
	name     string
	password idbridge.Secret
	key      idbridge.Secret
	multiple bool
}

// readLogin reads the body of a login. Names of members match whatever their case, unknown ones are ignored. Exactly one of
// password and key must be there. Errors: 400, 413, 415.
func readLogin(w http.ResponseWriter, r *http.Request) (login, error) {
	if err := typed(r); err != nil {
		return login{}, err
	}
	data, err := body(w, r)
	if err != nil {
		return login{}, err
	}
	var l login
	err = members(data, func(name string, value []byte) error {
		var s string
		var err error
		switch {
		case strings.EqualFold(name, "username"):
			l.name, err = text("username", value)
		case strings.EqualFold(name, "password"):
			s, err = text("password", value)
			l.password = idbridge.NewSecret(s)
		case strings.EqualFold(name, "apiKey"):
			s, err = text("apiKey", value)
			l.key = idbridge.NewSecret(s)
		case strings.EqualFold(name, "multipleLogin"):
			switch string(value) {
			case "true":
				l.multiple = true
			case "false", "null":
			default:
				err = malformed("multipleLogin must be true or false.")
			}
		}
		return err
	})
	switch {
	case err != nil:
		return login{}, err
	case l.name == "":
		return login{}, malformed("username is missing.")
	case l.password.IsEmpty() == l.key.IsEmpty():
		return login{}, malformed("Exactly one of password and apiKey is needed.")
	}
	return l, nil
}

// readToken finds the one token of a request: in its headers, in the variable token where query is set, and in the body
// where that is given. "" is none. Error: 400 for two different ones.
func readToken(r *http.Request, query bool, data []byte) (string, error) {
	if len(r.Header["X-Authorization"]) > 1 || len(r.Header["Authorization"]) > 1 {
		return "", malformed("A header that carries a credential comes twice.")
	}
	found := append([]string(nil), r.Header["X-Authorization"]...)
	for _, value := range r.Header["Authorization"] {
		if scheme, rest, ok := strings.Cut(value, " "); ok && strings.EqualFold(scheme, "Bearer") {
			found = append(found, strings.TrimLeft(rest, " "))
		}
	}
	if query {
		values, err := variables(r.URL.RawQuery, "token")
		if err != nil {
			return "", err
		}
		found = append(found, values...)
	}
	if len(data) > 0 {
		err := members(data, func(name string, value []byte) error {
			if !strings.EqualFold(name, "token") {
				return nil
			}
			s, err := text("token", value)
			found = append(found, s)
			return err
		})
		if err != nil {
			return "", err
		}
	}
	token := ""
	for _, one := range found {
		switch {
		case one == "" || one == token:
		case token == "":
			token = one
		default:
			return "", malformed("Two different tokens.")
		}
	}
	return token, nil
}
