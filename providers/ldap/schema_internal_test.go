package ldap

import (
	"slices"
	"testing"
)

func TestSchema(t *testing.T) {
	s := parseSchema([]string{
		`( 2.5.4.41 NAME 'name' DESC 'RFC4519: common supertype of (name) attributes' EQUALITY caseIgnoreMatch SUBSTR caseIgnoreSubstringsMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15{32768} )`,
		`( 2.5.4.4 NAME ( 'sn' 'surname' ) DESC 'RFC2256' SUP name )`,
		`( 2.16.840.1.113730.3.1.241 NAME 'displayName' EQUALITY caseIgnoreMatch SYNTAX 1.3 SINGLE-VALUE )`,
		`( 0.9.2342.19200300.100.1.60 NAME 'jpegPhoto' SYNTAX 1.3.6.1.4.1.1466.115.121.1.28 )`,
		`( 1.3.6.1.1.16.4 NAME 'entryUUID' EQUALITY UUIDMatch SYNTAX 1.3.6.1.1.16.1 SINGLE-VALUE NO-USER-MODIFICATION USAGE directoryOperation )`,
		`( 1.1 NAME 'loop' SUP loop )`, `(`, ``, `( 1.2 NAME 'cut`, `) ( $ '`,
	}, []string{
		`( 2.5.6.0 NAME 'top' ABSTRACT MUST objectClass )`,
		`( 2.5.6.6 NAME 'person' SUP top STRUCTURAL MUST ( sn $ cn ) MAY ( userPassword $ telephoneNumber ) )`,
		`( 2.16.840.1.113730.3.2.2 NAME 'inetOrgPerson' SUP person STRUCTURAL MAY displayName )`,
		`( 1.3.6.1.4.1.1466.101.120.111 NAME 'extensibleObject' SUP top AUXILIARY )`,
	})
	if got := s.equality("surname"); got != "caseignorematch" {
		t.Errorf("equality by way of SUP: %q", got)
	}
	if s.equality("jpegPhoto") != "" || s.equality("loop") != "" || s.equality("unknown") != "" {
		t.Error("an equality rule out of nothing")
	}
	if !s.single("DISPLAYNAME") || s.single("sn") || !s.unwritable("entryUUID") || s.unwritable("sn") {
		t.Error("flags")
	}
	person := []string{"inetOrgPerson"}
	if !s.needs(person, "surname") || !s.needs(person, "objectClass") || s.needs(person, "displayName") {
		t.Error("what must be there")
	}
	if !s.allows(person, "telephoneNumber") || s.allows(person, "jpegPhoto") || !s.allows(append(person, "extensibleObject"), "jpegPhoto") {
		t.Error("what may be there")
	}
	if !s.known("surname") || s.known("shoeSize") || !(schema{}).known("shoeSize") || !(schema{}).allows(person, "x") {
		t.Error("what is known")
	}
	if got := s.types["2.5.4.4"].names; !slices.Equal(got, []string{"sn", "surname"}) {
		t.Errorf("names %q", got)
	}
}

func FuzzSchema(f *testing.F) {
	f.Add(`( 2.5.4.4 NAME ( 'sn' 'surname' ) SUP name )`)
	f.Fuzz(func(_ *testing.T, text string) { parseSchema([]string{text}, []string{text}) })
}
