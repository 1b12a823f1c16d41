package ldapsim

// rootDSE is what the server says of itself, the way slapd does.
func (s *Server) rootDSE(secure bool) *entry {
	d := s.db
	e := &entry{public: true}
	e.set(d.schema, "objectClass", "top", "OpenLDAProotDSE")
	e.set(d.schema, "structuralObjectClass", "OpenLDAProotDSE")
	e.set(d.schema, "namingContexts", d.suffix.String())
	e.set(d.schema, "supportedControl", oidManageDsaIT, oidDomainScope, oidPaging, oidPostRead, oidPreRead, oidAssertion)
	extensions := []string{oidPasswordModify, oidWhoAmI}
	if !secure {
		extensions = append(extensions, oidStartTLS)
	}
	e.set(d.schema, "supportedExtension", extensions...)
	e.set(d.schema, "supportedFeatures",
		"1.3.6.1.1.14",           // modify-increment
		"1.3.6.1.4.1.4203.1.5.1", // all operational attributes
		"1.3.6.1.4.1.4203.1.5.3", // true and false filters
		"1.3.6.1.4.1.4203.1.5.4") // language tags
	e.set(d.schema, "supportedLDAPVersion", "3")
	return e
}

// subschema publishes the schema that is enforced.
func (s *Server) subschema() *entry {
	d := s.db
	e := &entry{public: true, name: dn{{{"cn", "Subschema"}}}, key: "cn=subschema"}
	e.set(d.schema, "objectClass", "top", "subentry", "subschema", "extensibleObject")
	e.set(d.schema, "structuralObjectClass", "subentry")
	e.set(d.schema, "cn", "Subschema")
	for _, what := range []string{"attributeTypes", "objectClasses"} {
		e.set(d.schema, what, d.schema.lines[what]...)
	}
	return e
}
