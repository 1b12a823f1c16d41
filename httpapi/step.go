package httpapi

import "github.com/idbridge/idbridge"

// stepView is one effect for one user, on one side.
type stepView struct {
	Directory string                          `json:"directory"`
	Record    string                          `json:"record" doc:"The record's id in the directory."`
	User      idbridge.UserID                 `json:"user,omitempty"`
	Side      idbridge.Side                   `json:"side" enum:"store,directory"`
	Verb      idbridge.Verb                   `json:"verb" enum:"create,link,update,suspend,restore,miss,purge,join,leave"`
	Before    map[idbridge.Attribute]valueSet `json:"before,omitempty" doc:"Touched attributes as they are."`
	After     map[idbridge.Attribute]valueSet `json:"after,omitempty" doc:"Touched attributes as they shall be."`
	Was       idbridge.LinkState              `json:"was,omitempty"`
	State     idbridge.LinkState              `json:"state,omitempty"`
	Group     string                          `json:"group,omitempty" doc:"Of a join or leave: the group's id."`
	Grants    []GrantView                     `json:"grants,omitempty"`
	Locator   string                          `json:"locator,omitempty"`
	Author    string                          `json:"author,omitempty" doc:"Who made the edit that travels."`
	Why       string                          `json:"why,omitempty"`
}

func viewSteps(steps []idbridge.Step) []stepView {
	out := make([]stepView, 0, len(steps))
	for i := range steps {
		x := &steps[i]
		v := stepView{
			Directory: x.ID.Directory, Record: x.ID.ID, User: x.User, Side: x.Side, Verb: x.Verb, Before: viewProfile(x.Before), After: viewProfile(x.After),
			Was: x.Was, State: x.State, Group: x.Group.ID, Locator: x.Locator, Author: x.Author, Why: x.Why,
		}
		if len(x.Grants) > 0 {
			v.Grants = viewGrants(x.Grants)
		}
		out = append(out, v)
	}
	return out
}

// viewProfile shows a part of a profile; nil stays nil.
func viewProfile(p idbridge.Profile) map[idbridge.Attribute]valueSet {
	if p == nil {
		return nil
	}
	out := make(map[idbridge.Attribute]valueSet, len(p))
	for a, v := range p {
		out[a] = valueSet(nonNil(v))
	}
	return out
}
