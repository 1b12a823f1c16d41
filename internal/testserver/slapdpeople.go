package testserver

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"io"
	"math/rand/v2"
	"strconv"
	"strings"
)

// Entry writes one entry as LDIF, ended by an empty line. pairs are names and values in turn; everything that is not
// plain is written in base64, so any octets will do.
func Entry(dn string, pairs ...string) string {
	var b strings.Builder
	writeLine(&b, "dn", dn)
	for i := 0; i+1 < len(pairs); i += 2 {
		writeLine(&b, pairs[i], pairs[i+1])
	}
	b.WriteByte('\n')
	return b.String()
}

func writeLine(w io.StringWriter, name, value string) {
	if plainLDIF(value) {
		_, _ = w.WriteString(name + ": " + value + "\n")
		return
	}
	_, _ = w.WriteString(name + ":: " + base64.StdEncoding.EncodeToString([]byte(value)) + "\n")
}

func plainLDIF(v string) bool {
	if v == "" || strings.ContainsAny(v[:1], " :<") || strings.HasSuffix(v, " ") {
		return false
	}
	for i := range len(v) {
		if v[i] < ' ' || v[i] > '~' {
			return false
		}
	}
	return true
}

// Change writes one modify as LDIF: it replaces the values of an attribute; none removes it.
func Change(dn, attribute string, values ...string) string {
	var b strings.Builder
	writeLine(&b, "dn", dn)
	b.WriteString("changetype: modify\nreplace: " + attribute + "\n")
	for _, v := range values {
		writeLine(&b, attribute, v)
	}
	b.WriteString("\n")
	return b.String()
}

// WritePeople writes n inetOrgPerson entries of ten attributes (besides objectClass) below ou=people, uid=u0000000 and so
// on, and groups groupOfNames below ou=groups that hold every person five times at most. The same seed gives the same
// octets. Every seventh name has letters beyond ASCII.
func WritePeople(w io.Writer, n, groups int, seed uint64) error {
	const base = "dc=example,dc=org"
	r := rand.New(rand.NewPCG(seed, 1)) //nolint:gosec // test data
	out := bufio.NewWriterSize(w, 1<<20)
	given := []string{"Anna", "Bela", "Chloé", "David", "Emil", "Fatima", "Grace", "Håkon", "Ines", "João"}
	family := []string{"Adler", "Berg", "Costa", "Dubois", "Evans", "Fischer", "Groß", "Huber", "Ivanova", "Jensen", "Kowalski"}
	titles := []string{"Engineer", "Analyst", "Nurse", "Driver", "Clerk", "Manager"}
	cities := []string{"Paris", "Lyon", "Berlin", "Porto", "Oslo"}
	for i := range n {
		g, f := given[r.IntN(len(given))], fmt.Sprintf("%s%d", family[r.IntN(len(family))], r.IntN(1000))
		uid := fmt.Sprintf("u%07d", i)
		entry := Entry("uid="+uid+",ou=people,"+base,
			"objectClass", "inetOrgPerson", "uid", uid, "cn", g+" "+f, "sn", f, "givenName", g, "displayName", f+", "+g,
			"mail", uid+"@example.org", "telephoneNumber", fmt.Sprintf("+33 1 %08d", r.IntN(1e8)),
			"employeeNumber", strconv.Itoa(100000+i), "title", titles[r.IntN(len(titles))], "l", cities[r.IntN(len(cities))])
		if _, err := out.WriteString(entry); err != nil {
			return fmt.Errorf("write people: %w", err)
		}
	}
	for g := range groups {
		pairs := []string{"objectClass", "groupOfNames", "cn", fmt.Sprintf("group%03d", g)}
		size := min(n, max(1, n*5/max(1, groups)))
		for k := range size {
			pairs = append(pairs, "member", fmt.Sprintf("uid=u%07d,ou=people,%s", (g*31+k*max(1, n/size))%n, base))
		}
		if _, err := out.WriteString(Entry(fmt.Sprintf("cn=group%03d,ou=groups,%s", g, base), pairs...)); err != nil {
			return fmt.Errorf("write groups: %w", err)
		}
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("write people: %w", err)
	}
	return nil
}
