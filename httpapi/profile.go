package httpapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"golang.org/x/text/secure/precis"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/httpapi/problem"
	"github.com/idbridge/idbridge/httpapi/strict"
)

// patched is the new value of one attribute: null or "" clears it, a text is its one value, a list all of them.
type patched struct{ values idbridge.Values }

// UnmarshalJSON reads null, a text, or a list of texts.
func (p *patched) UnmarshalJSON(b []byte) error {
	p.values = idbridge.Values{}
	switch b = bytes.TrimSpace(b); {
	case bytes.Equal(b, []byte("null")):
		return nil
	case len(b) > 0 && b[0] == '[':
		var list []string
		if err := strict.Unmarshal(b, &list); err != nil {
			return err
		}
		p.values = list
		return nil
	}
	var one string
	if err := json.Unmarshal(b, &one); err != nil {
		return fmt.Errorf("attribute: %w", err)
	}
	if one != "" {
		p.values = idbridge.Values{one}
	}
	return nil
}

const (
	maxValues = 32
	maxValue  = 1024
	maxEmail  = 254
	maxName   = 128
)

// patchSchema describes an object of attributes to be set, and nothing else.
func patchSchema(attributes []idbridge.Attribute) *huma.Schema {
	one, some, least := maxValue, maxValues, 0
	s := &huma.Schema{Type: huma.TypeObject, AdditionalProperties: false, Properties: map[string]*huma.Schema{}}
	for _, a := range attributes {
		s.Properties[string(a)] = &huma.Schema{AnyOf: []*huma.Schema{
			{Type: huma.TypeString, Nullable: true, MaxLength: &one},
			{Type: huma.TypeArray, MaxItems: &some, MinItems: &least, Items: &huma.Schema{Type: huma.TypeString, MaxLength: &one}},
		}}
	}
	return s
}

// patchBody is the request body of a merge patch with the schema.
func patchBody(s *huma.Schema) *huma.RequestBody {
	return &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{
		"application/json": {Schema: s}, "application/merge-patch+json": {Schema: s},
	}}
}

// editable returns the attributes a user may edit in his own profile: not his login, not what belongs to the links.
func (s *Server) editable() []idbridge.Attribute {
	return slices.DeleteFunc(s.config.Schema.Attributes(), func(a idbridge.Attribute) bool {
		return a == idbridge.UserName || a == idbridge.Active
	})
}

// administered returns the attributes an administrator may set.
func (s *Server) administered() []idbridge.Attribute {
	return slices.DeleteFunc(s.config.Schema.Attributes(), func(a idbridge.Attribute) bool { return a == idbridge.Active })
}

// profileOf checks new values and returns them as a profile. at is where they stand in the body. Error: 422 with every
// fault, never the value.
func (s *Server) profileOf(set map[idbridge.Attribute]patched, at string, allowed []idbridge.Attribute) (idbridge.Profile, error) {
	p := problem.New(problem.Invalid, "Some values cannot be taken.")
	out := idbridge.Profile{}
	for _, a := range slices.Sorted(maps.Keys(set)) {
		where := at + string(a)
		if !slices.Contains(allowed, a) {
			p.At(place(where), "unknown attribute")
			continue
		}
		values, fault := s.clean(a, set[a].values)
		if fault != "" {
			p.At(where, fault)
			continue
		}
		out[a] = values
	}
	if len(p.Errors) > 0 {
		return nil, p
	}
	return out, nil
}

// clean trims the values of an attribute and says what is wrong with them, "" for nothing.
func (s *Server) clean(a idbridge.Attribute, values idbridge.Values) (idbridge.Values, string) {
	out := make(idbridge.Values, 0, len(values))
	for _, v := range values {
		if v = strings.TrimSpace(v); v != "" {
			out = append(out, v)
		}
	}
	spec := s.config.Schema[a]
	if spec.Single && len(out) > 1 {
		return nil, "takes one value"
	}
	if len(out) > maxValues {
		return nil, "has too many values"
	}
	for i, v := range out {
		if len(v) > maxValue {
			return nil, "is too long"
		}
		if strings.ContainsFunc(v, forbiddenRune) {
			return nil, "holds control characters"
		}
		switch a {
		case idbridge.Email:
			if !plausibleEmail(v) {
				return nil, "is not an e-mail address"
			}
		case idbridge.UserName:
			name, fault := newName(v)
			if fault != "" {
				return nil, fault
			}
			out[i] = name
		}
	}
	if a == idbridge.UserName && len(out) == 0 {
		return nil, "must not be empty"
	}
	return out, ""
}

func forbiddenRune(r rune) bool {
	return r < ' ' || r >= 0x7f && r < 0xa0 || r == 0xFFFE || r == 0xFFFF || r == 0xFFFD
}

// newName prepares a new login name (RFC 8265, UsernameCasePreserved) and says what is wrong with it, "" for nothing.
func newName(v string) (name, fault string) {
	if v == "." || v == ".." || strings.ContainsRune(v, '/') || len(v) > maxName {
		return "", "is not a user name"
	}
	name, err := precis.UsernameCasePreserved.String(v)
	if err != nil {
		return "", "is not a user name"
	}
	return name, ""
}

func plausibleEmail(v string) bool {
	at := strings.LastIndexByte(v, '@')
	return len(v) <= maxEmail && at > 0 && at < len(v)-1 && !strings.ContainsAny(v, " \t<>,;\"()") && strings.IndexByte(v, '@') == at
}

// missing returns which of the three attributes that a person's key needs are blank.
func missing(u *idbridge.User) []string {
	out := []string{}
	if u.Kind == idbridge.Service {
		return out
	}
	for _, a := range []idbridge.Attribute{idbridge.GivenName, idbridge.FamilyName, idbridge.Email} {
		filled := slices.ContainsFunc(u.Profile[a], func(v string) bool { return strings.TrimSpace(v) != "" })
		if !filled {
			out = append(out, string(a))
		}
	}
	return out
}
