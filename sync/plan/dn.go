package plan

import (
	"encoding/hex"
	"slices"
	"strings"

	"github.com/idbridge/idbridge"
)

// normalDN returns a form that is the same for all ways of writing one DN (RFC 4514, and the quotes and semicolons of
// RFC 2253): attribute types without case and by one name, values unescaped, without case, with inner blanks as one,
// parts of a multi-valued RDN sorted. It is for comparing only. What is not a DN (a plain group name) is compared as text.
func normalDN(dn string) string {
	rest, out := dn, strings.Builder{}
	for {
		rdn, more, tail, ok := nextRDN(rest)
		if !ok {
			return "text:" + idbridge.CaseIgnore.Normal(dn)
		}
		slices.Sort(rdn)
		out.WriteString(strings.Join(slices.Compact(rdn), "+"))
		out.WriteByte(',')
		if !more {
			return out.String()
		}
		rest = tail
	}
}

// nextRDN takes the first RDN off a DN: its parts as type=value in a normal form. more tells that another must follow.
func nextRDN(s string) (parts []string, more bool, rest string, ok bool) {
	for {
		kind, tail, found := strings.Cut(s, "=")
		kind = typeName(kind)
		if !found || kind == "" {
			return nil, false, "", false
		}
		value, end, tail, ok := nextValue(tail)
		if !ok {
			return nil, false, "", false
		}
		parts = append(parts, kind+"="+hex.EncodeToString([]byte(idbridge.CaseIgnore.Normal(value))))
		if end != '+' {
			return parts, end != 0, tail, true
		}
		s = tail
	}
}

// typeName returns one name for each attribute type of RFC 4514 section 3, "" for what cannot be one.
func typeName(s string) string {
	s = strings.ToLower(strings.TrimSpace(s))
	s = strings.TrimPrefix(s, "oid.")
	for _, r := range s {
		if r != '-' && r != '.' && r != '_' && (r < '0' || r > '9') && (r < 'a' || r > 'z') {
			return ""
		}
	}
	switch s {
	case "commonname", "2.5.4.3":
		return "cn"
	case "localityname", "2.5.4.7":
		return "l"
	case "stateorprovincename", "2.5.4.8":
		return "st"
	case "organizationname", "2.5.4.10":
		return "o"
	case "organizationalunitname", "2.5.4.11":
		return "ou"
	case "countryname", "2.5.4.6":
		return "c"
	case "streetaddress", "2.5.4.9":
		return "street"
	case "domaincomponent", "0.9.2342.19200300.100.1.25":
		return "dc"
	case "userid", "0.9.2342.19200300.100.1.1":
		return "uid"
	}
	return s
}

// nextValue reads one attribute value up to its separator, which is , ; + or 0 for the end.
func nextValue(s string) (value string, end byte, rest string, ok bool) {
	s = strings.TrimLeft(s, " ")
	if strings.HasPrefix(s, "#") {
		return hexValue(s)
	}
	quoted := strings.HasPrefix(s, `"`)
	var out []byte
	kept := 0 // up to here blanks are meant
	i := 0
	if quoted {
		i = 1
	}
	for ; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\':
			b, n := unescape(s[i+1:])
			if n == 0 {
				return "", 0, "", false
			}
			out = append(out, b)
			kept = len(out)
			i += n
		case quoted && c == '"':
			end, rest, ok = separator(strings.TrimLeft(s[i+1:], " "))
			return string(out), end, rest, ok
		case !quoted && (c == ',' || c == ';' || c == '+'):
			return trimmed(out, kept), c, s[i+1:], true
		default:
			out = append(out, c)
		}
	}
	return trimmed(out, kept), 0, "", !quoted
}

// hexValue reads #04024869: the BER encoding of a value, of which the octets are taken when it is a short string.
func hexValue(s string) (value string, end byte, rest string, ok bool) {
	n := strings.IndexAny(s, ",;+")
	if n < 0 {
		n = len(s)
	}
	ber, err := hex.DecodeString(strings.TrimSpace(s[1:n]))
	if err != nil || len(ber) == 0 {
		return "", 0, "", false
	}
	end, rest, _ = separator(s[n:])
	if len(ber) >= 2 && ber[1] < 0x80 && int(ber[1]) == len(ber)-2 && (ber[0] == 0x04 || ber[0] == 0x0c || ber[0] == 0x13 || ber[0] == 0x16) {
		return string(ber[2:]), end, rest, true
	}
	return "#" + strings.ToLower(strings.TrimSpace(s[1:n])), end, rest, true
}

// unescape reads what follows a backslash: two hex digits, or one character as it is. n is how much it took, 0 for nothing.
func unescape(s string) (b byte, n int) {
	if len(s) >= 2 {
		if x, err := hex.DecodeString(s[:2]); err == nil {
			return x[0], 2
		}
	}
	if s == "" {
		return 0, 0
	}
	return s[0], 1
}

func separator(s string) (end byte, rest string, ok bool) {
	if s == "" {
		return 0, "", true
	}
	if s[0] == ',' || s[0] == ';' || s[0] == '+' {
		return s[0], s[1:], true
	}
	return 0, "", false
}

// trimmed drops the blanks at the end that no escape holds.
func trimmed(v []byte, kept int) string {
	for len(v) > kept && v[len(v)-1] == ' ' {
		v = v[:len(v)-1]
	}
	return string(v)
}
