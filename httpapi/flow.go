package httpapi

import (
	"unicode/utf8"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/sync/plan"
)

// fieldView is one attribute of one's own profile.
type fieldView struct {
	Value            *string   `json:"value" doc:"The first value; null when there is none, or when it is not text."`
	Values           valueSet  `json:"values" doc:"All values."`
	Origin           string    `json:"origin" doc:"The directory that the value agrees with, or local."`
	Writable         bool      `json:"writable"`
	MayBeOverwritten bool      `json:"mayBeOverwritten" doc:"A directory owns it: an edit stays until the directory's value changes."`
	Sync             syncState `json:"sync,omitempty" enum:"written,pending,local" doc:"After an edit: how far it has come."`
}

// syncState says how far an edit has travelled.
type syncState string

const (
	written   syncState = "written" // the directory has it
	pending   syncState = "pending" // on its way, never lost
	localOnly syncState = "local"   // no directory takes it
)

// field describes an attribute of a user: where its value comes from and what becomes of an edit.
func (s *Server) field(u *idbridge.User, links []idbridge.Link, a idbridge.Attribute, writable bool) fieldView {
	values := u.Profile[a]
	v := fieldView{Values: valueSet(nonNil(values)), Origin: local, Writable: writable}
	if len(values) > 0 && utf8.ValidString(values[0]) {
		v.Value = &values[0]
	}
	for i := range links {
		rule, ok := s.rule(&links[i], a)
		if !ok {
			continue
		}
		if v.Origin == local && len(values) > 0 && s.config.Schema.Equal(a, links[i].Base[a], values) {
			v.Origin = links[i].ID.Directory
		}
		if rule.Flow == plan.In || rule.Flow == plan.Both && !s.policies[links[i].ID.Directory].Writable {
			v.MayBeOverwritten = true
		}
	}
	return v
}

// rule returns how the attribute flows between the link's directory and the store.
func (s *Server) rule(l *idbridge.Link, a idbridge.Attribute) (plan.Rule, bool) {
	p := s.policies[l.ID.Directory]
	if p == nil {
		return plan.Rule{}, false
	}
	r, ok := p.Rules[a]
	return r, ok
}

// outward tells whether the link's directory takes the attribute from the store.
func (s *Server) outward(l *idbridge.Link, a idbridge.Attribute) bool {
	r, ok := s.rule(l, a)
	return ok && s.policies[l.ID.Directory].Writable && (r.Flow == plan.Both || r.Flow == plan.Out)
}

// travelled tells how far an edit of the attribute has come: each directory that takes it must agree with the store.
func (s *Server) travelled(u *idbridge.User, links []idbridge.Link, a idbridge.Attribute) syncState {
	state := localOnly
	for i := range links {
		if !s.outward(&links[i], a) {
			continue
		}
		if !s.config.Schema.Equal(a, links[i].Base[a], u.Profile[a]) || links[i].Sent != 0 {
			return pending
		}
		state = written
	}
	return state
}
