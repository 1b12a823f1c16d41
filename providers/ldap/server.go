package ldap

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"github.com/idbridge/idbridge"
)

// The controls that are used where the server lists them.
const (
	oidPaging    = "1.2.840.113556.1.4.319"
	oidAssertion = "1.3.6.1.1.12"
	oidPostRead  = "1.3.6.1.1.13.2"
)

// server is what one server is and can do, as its rootDSE and its schema say. It is decided by these lists, never by
// sending a critical control to see what happens.
type server struct {
	vendor   string // for people: OpenLDAP, 389 Project 389-Directory/2.3.1
	identity string // vendor, address and the id of the base entry
	controls []string
	contexts []string
	version  string // attribute that moves with every change of an entry
	schema   schema
	subtree  string // entry of the schema
}

func (s *server) has(oid string) bool { return slices.Contains(s.controls, oid) }

// probe asks the server what it is. Errors: Unavailable, Invalid when it does not let itself be asked.
func (d *Directory) probe(ctx context.Context, c *conn) (*server, error) {
	r := request{base: "", scope: ldap.ScopeBaseObject, filter: "(objectClass=*)", attributes: []string{
		"objectClass", "vendorName", "vendorVersion", "supportedControl", "namingContexts", "subschemaSubentry",
	}}
	d.logSearch(ctx, r)
	root, err := c.base(ctx, r.base, r.filter, r.attributes...)
	if err != nil {
		return nil, err
	}
	if root == nil {
		return nil, &idbridge.Error{
			Kind: idbridge.Invalid, Msg: "the directory does not say what it is",
			Hint: "the rootDSE must be readable; on OpenLDAP: access to dn.base=\"\" by * read",
		}
	}
	s := &server{
		vendor: vendorOf(root), controls: root.of("supportedControl"), contexts: root.of("namingContexts"),
		subtree: root.first("subschemaSubentry"), version: "modifyTimestamp",
	}
	if s.subtree != "" {
		sub, err := c.base(ctx, s.subtree, "(objectClass=*)", "attributeTypes", "objectClasses")
		if err != nil && idbridge.KindOf(err) == idbridge.Unavailable {
			return nil, err
		}
		if sub != nil { // a schema that may not be read forbids nothing
			s.schema = parseSchema(sub.of("attributeTypes"), sub.of("objectClasses"))
		}
	}
	if s.vendor == openLDAP || s.schema.types["entrycsn"] != nil {
		s.version = "entryCSN"
	}
	baseID := ""
	if base, err := c.base(ctx, d.cfg.BaseDN, "(objectClass=*)", d.cfg.IDAttribute); err == nil && base != nil {
		baseID, _ = d.cfg.idName().text(base.of(d.cfg.IDAttribute)) // only a part of a name for people
	}
	s.identity = strings.TrimSpace(fmt.Sprintf("%s %s %s", s.vendor, d.end.addr, baseID))
	return s, nil
}

// elsewhere counts the references of a search below base that lead to a part of it which this server does not show.
// Active Directory answers every search from the top of a domain with references to its own partitions for configuration,
// schema and DNS: they are naming contexts of this very server, hold no people, and are no part of the domain.
func (s *server) elsewhere(base string, references []string) int {
	home, n := canonicalDN(base), 0
	for _, uri := range references {
		u, err := url.Parse(uri)
		if err != nil {
			n++
			continue
		}
		dn := canonicalDN(strings.TrimPrefix(u.Path, "/"))
		own := dn != "" && dn != home && below(dn, home) &&
			slices.ContainsFunc(s.contexts, func(c string) bool { return canonicalDN(c) == dn })
		if !own {
			n++
		}
	}
	return n
}

const openLDAP = "OpenLDAP"

func vendorOf(root *plain) string {
	name := strings.TrimSpace(root.first("vendorName") + " " + root.first("vendorVersion"))
	switch {
	case name != "":
		return name
	case slices.ContainsFunc(root.of("objectClass"), func(c string) bool { return strings.EqualFold(c, "OpenLDAProotDSE") }):
		return openLDAP
	}
	return "unknown"
}

// capabilities puts what was found into the words of the dictionary; each lack with its reason and, where there is one,
// its cure.
func (d *Directory) capabilities() idbridge.Capabilities {
	yes := idbridge.Support{OK: true}
	no := func(why string) idbridge.Support { return idbridge.Support{Reason: why} }
	c := idbridge.Capabilities{
		Scan:       yes,
		Delta:      no("change feeds are not used yet: every run is a complete listing"),
		Live:       no("change feeds are not used yet"),
		Tombstones: no("change feeds are not used yet: who left is seen by absence from complete listings"),
		Write:      yes,
		Create:     no("idbridge does not create entries in a directory yet"),
		Rename:     no("idbridge does not rename entries in a directory yet"),
		Disable:    no("no attribute is mapped to active"),
		Delete:     no("idbridge never deletes entries of a directory"),
		Members:    yes,
		Login:      yes,
		Password:   no("idbridge does not change passwords in a directory yet"),
	}
	if _, mapped := d.m.From(idbridge.Active); mapped {
		c.Disable = yes
	}
	if d.cfg.Groups.Filter == "" {
		c.Members = no("no groups are read: set groups.filter, for example (objectClass=groupOfNames)")
	}
	if d.cfg.Bind.DN == "" {
		c.Write = no("signed in as anonymous: set bind.dn")
	}
	return c
}
