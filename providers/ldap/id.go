package ldap

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/go-ldap/ldap/v3"
)

// idName is the name of the id attribute and how its values are written. Everywhere else an id is its canonical text.
//
//	entryUUID, nsUniqueId, ipaUniqueID …   text as it stands; a UUID in lower case (RFC 4530 compares without case)
//	objectGUID                             16 octets, the first three fields little-endian (MS-DTYP section 2.3.4.2),
//	                                       as Microsoft's tools print them: 6b29fc40-ca47-1067-b31d-00dd010662da
type idName struct {
	attribute string
	binary    bool
}

func (c *Config) idName() idName {
	return idName{c.IDAttribute, strings.EqualFold(c.IDAttribute, "objectGUID")}
}

const guidOctets = 16

// text returns the canonical text of the id that an entry shows. The error says what is wrong with it.
func (n idName) text(values []string) (string, error) {
	switch {
	case len(values) == 0 || len(values) == 1 && strings.TrimSpace(values[0]) == "" && !n.binary:
		return "", fmt.Errorf("the entry has no %s, by which it would be known; is the id attribute right, and may we read it?", n.attribute)
	case len(values) > 1:
		return "", fmt.Errorf("the entry has %d values of %s; an id must be one", len(values), n.attribute)
	}
	v := values[0]
	switch {
	case n.binary && len(v) == guidOctets && strings.Trim(v, "\x00") != "":
		return guidText(v), nil
	case n.binary && !uuidShaped(v):
		return "", fmt.Errorf("%s has %d octets; a GUID has %d, not all of them zero", n.attribute, len(v), guidOctets)
	case !utf8.ValidString(v):
		return "", fmt.Errorf("%s is not text", n.attribute)
	}
	return canonicalID(v), nil
}

// filter returns the condition that an entry has this id, "" for a text that can be nobody's.
func (n idName) filter(id string) string {
	if !n.binary {
		if id == "" {
			return ""
		}
		return "(" + n.attribute + "=" + ldap.EscapeFilter(id) + ")"
	}
	packed, ok := packID(id)
	if !ok {
		return ""
	}
	var b strings.Builder
	b.WriteString("(" + n.attribute + "=")
	for _, i := range guidOrder {
		fmt.Fprintf(&b, `\%02x`, packed[i])
	}
	return b.String() + ")"
}

// guidOrder is where the octets of a GUID's text stand on the wire. It is its own reverse.
var guidOrder = [guidOctets]int{3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15} //nolint:gochecknoglobals // Go has no constant arrays

// guidText writes the 16 octets of a GUID as text.
func guidText(octets string) string {
	var packed [guidOctets]byte
	for i, from := range guidOrder {
		packed[i] = octets[from]
	}
	return unpackID(packed)
}

func uuidShaped(v string) bool {
	_, ok := packID(strings.ToLower(v))
	return ok
}

// canonicalID makes one id of two spellings: a UUID is written in lower case.
func canonicalID(id string) string {
	if len(id) == 36 && id[8] == '-' {
		return strings.ToLower(id)
	}
	return id
}

// intrinsic tells whether servers themselves see to it that no two entries share the attribute's value.
func intrinsic(attribute string) bool {
	switch strings.ToLower(attribute) {
	case "entryuuid", "nsuniqueid", "objectguid":
		return true
	}
	return false
}
