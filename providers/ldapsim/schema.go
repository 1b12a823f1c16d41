package ldapsim

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"
)

// schemaText is what RFC 4512, 4519, 4524, 2798 and OpenLDAP's operational attributes define, in the notation of a
// subschema entry: what is published is what is enforced.
//
//go:embed schema.txt
var schemaText string

// attributeType is one attribute as the schema knows it; what SUP gives is filled in.
type attributeType struct {
	oid, equality, ordering, substr, syntax string
	names                                   []string
	sup                                     *attributeType
	single, fixed, operational              bool // fixed: the server alone writes it
}

func (a *attributeType) name() string { return a.names[0] }

// is tells whether a is t or derived from it.
func (a *attributeType) is(t *attributeType) bool {
	for ; a != nil; a = a.sup {
		if a == t {
			return true
		}
	}
	return false
}

type objectClass struct {
	names, sups, must, may []string
	kind                   string // ABSTRACT, STRUCTURAL, AUXILIARY
}

// schema holds the definitions by folded name and by number.
type schema struct {
	types   map[string]*attributeType
	classes map[string]*objectClass
	lines   map[string][]string // attributeTypes, objectClasses: the definitions as published
}

func loadSchema(text string) (*schema, error) {
	s := &schema{types: map[string]*attributeType{}, classes: map[string]*objectClass{}, lines: map[string][]string{}}
	for line := range strings.Lines(text) {
		what, def, _ := strings.Cut(strings.TrimSpace(line), ": ")
		words := definition(def)
		if len(words["NAME"]) == 0 || len(words["OID"]) == 0 {
			return nil, fmt.Errorf("schema: %q has no name", line)
		}
		s.lines[what] = append(s.lines[what], def)
		switch what {
		case "attributeTypes":
			s.addType(words)
		case "objectClasses":
			s.addClass(words)
		default:
			return nil, fmt.Errorf("schema: %q is neither attribute nor class", what)
		}
	}
	for line := range strings.Lines(text) {
		if _, def, ok := strings.Cut(strings.TrimSpace(line), "attributeTypes: "); ok {
			words := definition(def)
			if sup := first(words["SUP"]); sup != "" {
				s.types[fold(words["NAME"][0])].inherit(s.types[fold(sup)])
			}
		}
	}
	return s, nil
}

func (s *schema) addType(words map[string][]string) {
	syntax, _, _ := strings.Cut(first(words["SYNTAX"]), "{")
	usage := first(words["USAGE"])
	a := &attributeType{
		oid: words["OID"][0], names: words["NAME"], equality: first(words["EQUALITY"]), ordering: first(words["ORDERING"]),
		substr: first(words["SUBSTR"]), syntax: syntax, single: words["SINGLE-VALUE"] != nil,
		fixed: words["NO-USER-MODIFICATION"] != nil, operational: usage != "" && usage != "userApplications",
	}
	for _, n := range append([]string{a.oid}, a.names...) {
		s.types[fold(n)] = a
	}
}

func (a *attributeType) inherit(sup *attributeType) {
	a.sup = sup
	if a.equality == "" {
		a.equality = sup.equality
	}
	if a.ordering == "" {
		a.ordering = sup.ordering
	}
	if a.substr == "" {
		a.substr = sup.substr
	}
	if a.syntax == "" {
		a.syntax = sup.syntax
	}
}

func (s *schema) addClass(words map[string][]string) {
	c := &objectClass{names: words["NAME"], sups: words["SUP"], must: words["MUST"], may: words["MAY"], kind: "STRUCTURAL"}
	for _, k := range []string{"ABSTRACT", "AUXILIARY"} {
		if words[k] != nil {
			c.kind = k
		}
	}
	for _, n := range append([]string{words["OID"][0]}, c.names...) {
		s.classes[fold(n)] = c
	}
}

// definition takes "( 2.5.4.3 NAME ( 'cn' 'commonName' ) SUP name )" apart: keyword → what follows it.
func definition(def string) map[string][]string {
	out := map[string][]string{}
	key := "OID"
	for _, w := range strings.Fields(def) {
		switch {
		case w == "(" || w == ")" || w == "$":
		case w == strings.ToUpper(w) && w[0] >= 'A' && w[0] <= 'Z':
			key = w
			out[key] = []string{}
		default:
			out[key] = append(out[key], strings.Trim(w, "'"))
		}
	}
	return out
}

func first(v []string) string {
	if len(v) == 0 {
		return ""
	}
	return v[0]
}

// isClass tells whether the class named have is the one named want or derived from it.
func (s *schema) isClass(have, want string) bool {
	h, w := s.classes[fold(have)], s.classes[fold(want)]
	if h == nil || w == nil {
		return false
	}
	return h == w || slices.ContainsFunc(h.sups, func(sup string) bool { return s.isClass(sup, want) })
}

// description is an attribute's name with its options: cn;lang-de.
type description struct {
	kind    *attributeType
	options string // folded, sorted, each with a leading semicolon
}

func (d description) String() string { return d.kind.name() + d.options }

// describe reads a description. Options other than languages and binary are unknown, as on slapd.
func (s *schema) describe(text string) (description, bool) {
	name, rest, has := strings.Cut(text, ";")
	d := description{kind: s.types[fold(name)]}
	if d.kind == nil {
		return d, false
	}
	certificate := d.kind.syntax == syntaxes+"8" // which goes as ;binary only, and nothing else does
	if !has {
		return d, !certificate
	}
	options := strings.Split(fold(rest), ";")
	slices.Sort(options)
	for _, o := range slices.Compact(options) {
		if (o != "binary" || !certificate) && !strings.HasPrefix(o, "lang-") {
			return d, false
		}
		d.options += ";" + o
	}
	return d, !certificate || strings.Contains(d.options, ";binary")
}

// covers tells whether asking for d means have too: the same type or one derived from it, with at least d's options.
func (d description) covers(have description) bool {
	if !have.kind.is(d.kind) {
		return false
	}
	for o := range strings.SplitSeq(d.options, ";") {
		if o != "" && !strings.Contains(have.options+";", ";"+o+";") {
			return false
		}
	}
	return true
}
