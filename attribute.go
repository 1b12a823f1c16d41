package idbridge

import (
	"maps"
	"slices"
)

// Attribute names one user detail, the same in Go, SQL, JSON and the config: userName, email, phone. It is never the
// name that a directory uses for it.
type Attribute string

// The attributes every store has. More are declared in the config.
const (
	UserName    Attribute = "userName"
	GivenName   Attribute = "givenName"
	FamilyName  Attribute = "familyName"
	DisplayName Attribute = "displayName"
	Email       Attribute = "email"
	Active      Attribute = "active" // "true" or "false"; absent counts as "true"
)

// Spec says how an attribute's values are compared and kept.
type Spec struct {
	Match  Match // equality rule, default CaseIgnore
	Single bool  // at most one value
	Unique bool  // no two users may hold an equal value
}

// Schema is the set of attributes a store knows. A Schema handed over is not changed afterwards.
type Schema map[Attribute]Spec

// CoreSchema returns the attributes every store has.
func CoreSchema() Schema {
	return Schema{
		UserName:    {Match: CaseIgnore, Single: true, Unique: true},
		GivenName:   {Match: CaseIgnore},
		FamilyName:  {Match: CaseIgnore},
		DisplayName: {Match: CaseIgnore},
		Email:       {Match: CaseIgnore, Unique: true},
		Active:      {Match: Boolean, Single: true},
	}
}

// Attributes returns the schema's names, sorted.
func (s Schema) Attributes() []Attribute { return slices.Sorted(maps.Keys(s)) }

// Equal tells whether two value sets of a are the same under its equality rule. Order and repetition do not count.
func (s Schema) Equal(a Attribute, x, y Values) bool {
	if slices.Equal(x, y) {
		return true
	}
	return slices.Equal(s.Normal(a, x), s.Normal(a, y))
}

// Normal returns the canonical form of a value set: each value normalised by the attribute's rule, sorted, without
// repetition, without empty ones. Normal is idempotent. It is for comparing; what is stored keeps its spelling.
func (s Schema) Normal(a Attribute, v Values) Values {
	if len(v) == 0 {
		return nil
	}
	m := s[a].Match
	out := make(Values, 0, len(v))
	for _, x := range v {
		if n := m.Normal(x); n != "" {
			out = append(out, n)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
