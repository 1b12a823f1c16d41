package assets

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/httpapi/problem"
	"github.com/idbridge/idbridge/httpapi/strict"
)

const maxBody = 64 << 10

// details is what a client says about a user. A nil part was not said.
type details struct {
	name      string
	fullName  *string
	password  *string
	superuser *bool
	roles     *[]grant
}

// grant is a role as a client names it.
type grant struct {
	role        idbridge.Role
	application string
}

// details reads the body. Errors: 400, 413, 415.
func (x *exchange) details(root string) (details, error) {
	kind, params, err := mime.ParseMediaType(x.r.Header.Get("Content-Type"))
	charset, told := params["charset"]
	if err != nil || told && !strings.EqualFold(charset, "utf-8") {
		return details{}, unsupported()
	}
	switch kind {
	case "application/xml", "text/xml", "application/json":
	default:
		return details{}, unsupported()
	}
	body, err := io.ReadAll(http.MaxBytesReader(x.w, x.r.Body, maxBody))
	var long *http.MaxBytesError
	switch {
	case errors.As(err, &long):
		return details{}, problem.New(problem.TooLarge, "")
	case err != nil:
		return details{}, malformed("The body did not arrive.").Because(err)
	}
	var d details
	if kind == "application/json" {
		d, err = fromJSON(body)
	} else {
		d, err = fromXML(body, root)
	}
	var fault *strict.Fault
	if errors.As(err, &fault) { // it names a place, and never quotes
		return d, malformed("The body cannot be read: " + fault.Error() + ".")
	}
	return d, err
}

func unsupported() *problem.Problem {
	return problem.New(problem.UnsupportedMediaType, "Send application/xml or application/json in UTF-8.")
}

// userBody is the JSON form. What is not named here is ignored and never bound.
type userBody struct {
	User *struct {
		Name      *string         `json:"name"`
		FullName  *string         `json:"fullName"`
		Password  *string         `json:"password"`
		Superuser json.RawMessage `json:"superuser"`
		Roles     *[]roleBody     `json:"roles"`
	} `json:"user"`
}

type roleBody struct {
	Name         *string `json:"name"`
	Organization *struct {
		Name *string `json:"name"`
	} `json:"organization"`
}

func fromJSON(body []byte) (details, error) {
	var b userBody
	if err := strict.Unmarshal(body, &b); err != nil {
		return details{}, err
	}
	if b.User == nil || b.User.Name == nil {
		return details{}, malformed("The body needs a user with a name.")
	}
	d := details{name: *b.User.Name, fullName: b.User.FullName, password: b.User.Password}
	if raw := string(b.User.Superuser); raw != "" && raw != "null" {
		if text, ok := strict.Text(b.User.Superuser); ok {
			raw = text
		}
		on, err := boolean(raw)
		if err != nil {
			return d, err
		}
		d.superuser = &on
	}
	if b.User.Roles == nil {
		return d, nil
	}
	list := make([]grant, 0, len(*b.User.Roles))
	for _, r := range *b.User.Roles {
		if r.Name == nil {
			return d, malformed("A role needs a name.")
		}
		g := grant{role: idbridge.Role(*r.Name)}
		if r.Organization != nil {
			if r.Organization.Name == nil {
				return d, malformed("An organization needs a name.")
			}
			g.application = *r.Organization.Name
		}
		list = append(list, g)
	}
	d.roles = &list
	return d, nil
}

func fromXML(body []byte, root string) (details, error) {
	top, err := strict.XML(body, root)
	if err != nil {
		return details{}, err
	}
	user, err := top.Child("user")
	if err != nil {
		return details{}, err
	}
	if user == nil {
		return details{}, malformed("The body needs a user with a name.")
	}
	var d details
	name, err := value(user, "name")
	if err != nil {
		return d, err
	}
	if name == nil {
		return d, malformed("The body needs a user with a name.")
	}
	d.name = *name
	if d.fullName, err = value(user, "fullName"); err != nil {
		return d, err
	}
	if d.password, err = value(user, "password"); err != nil {
		return d, err
	}
	text, err := value(user, "superuser")
	if err != nil {
		return d, err
	}
	if text != nil {
		on, err := boolean(*text)
		if err != nil {
			return d, err
		}
		d.superuser = &on
	}
	d.roles, err = rolesXML(user)
	return d, err
}

// value returns the text of an element, nil when it is not there.
func value(e *strict.Element, name string) (*string, error) {
	c, err := e.Child(name)
	if c == nil || err != nil {
		return nil, err
	}
	if len(c.Children) > 0 {
		return nil, malformed(name + " takes text.")
	}
	return &c.Text, nil
}

func rolesXML(user *strict.Element) (*[]grant, error) {
	roles, err := user.Child("roles")
	if roles == nil || err != nil {
		return nil, err
	}
	if strings.TrimSpace(roles.Text) != "" {
		return nil, malformed("roles takes role elements.")
	}
	list := make([]grant, 0, len(roles.Children))
	for i := range roles.Children {
		r := &roles.Children[i]
		if r.Name != "role" {
			return nil, malformed("roles takes role elements.")
		}
		name, err := value(r, "name")
		if err != nil {
			return nil, err
		}
		if name == nil {
			return nil, malformed("A role needs a name.")
		}
		g := grant{role: idbridge.Role(*name)}
		organization, err := r.Child("organization")
		if err != nil {
			return nil, err
		}
		if organization != nil {
			on, err := value(organization, "name")
			if err != nil {
				return nil, err
			}
			if on == nil {
				return nil, malformed("An organization needs a name.")
			}
			g.application = *on
		}
		list = append(list, g)
	}
	return &list, nil
}

// boolean reads true, false, 1 or 0 in any case, also in the pair of braces that the documentation prints around it.
func boolean(s string) (bool, error) {
	s = strings.TrimSpace(s)
	if inner, ok := strings.CutPrefix(s, "{"); ok {
		if inner, ok = strings.CutSuffix(inner, "}"); !ok {
			return false, malformed("superuser takes true or false.")
		}
		s = strings.TrimSpace(inner)
	}
	switch strings.ToLower(s) {
	case "true", "1":
		return true, nil
	case "false", "0":
		return false, nil
	}
	return false, malformed("superuser takes true or false.")
}
