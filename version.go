package idbridge

import "strings"

// Earlier tells whether version a of a record is certainly earlier than version b of the same record on the same kind of
// server. Versions that begin with a generalized time (entryCSN of draft-chu-ldap-csn, modifyTimestamp of RFC 4512) are
// compared by time and then as text, whole numbers (uSNChanged) as numbers. Anything else, and one of each, is not
// ordered: the answer is no.
func Earlier(a, b string) bool {
	switch {
	case digits(a) && digits(b):
		a, b = strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
		return len(a) < len(b) || len(a) == len(b) && a < b
	case generalizedTime(a) && generalizedTime(b) && strings.Contains(a, "#") == strings.Contains(b, "#"):
		return a < b
	}
	return false
}

func digits(v string) bool {
	return v != "" && strings.Trim(v, "0123456789") == ""
}

// generalizedTime tells whether v begins with date and time to the second and has a Z.
func generalizedTime(v string) bool {
	const seconds = len("20060102150405")
	return len(v) > seconds && digits(v[:seconds]) && strings.IndexByte(v, 'Z') >= seconds
}
