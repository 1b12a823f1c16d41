package testserver

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// dieWithParent ends a server when the test's process dies, however that happens.
func dieWithParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }

// configure makes certificates and writes slapd.conf.
func (s *SlapdServer) configure(o SlapdOptions) error {
	var err error
	if s.Authority, err = NewAuthority(s.Dir); err != nil {
		return err
	}
	s.CAFile = s.Authority.CAFile
	cert, key, err := s.Authority.Issue(o.Certificate)
	if err != nil {
		return err
	}
	limit := "unlimited"
	if o.SizeLimit > 0 {
		limit = strconv.Itoa(o.SizeLimit)
	}
	lines := []string{
		"include /etc/ldap/schema/core.schema",
		"include /etc/ldap/schema/cosine.schema",
		"include /etc/ldap/schema/nis.schema",
		"include /etc/ldap/schema/inetorgperson.schema",
		"modulepath /usr/lib/ldap",
		"moduleload back_mdb",
		"moduleload accesslog",
		"pidfile " + s.Dir + "/run/slapd.pid",
		"TLSCACertificateFile " + s.CAFile,
		"TLSCertificateFile " + cert,
		"TLSCertificateKeyFile " + key,
		"TLSVerifyClient try",
		`authz-regexp "^cn=sync$" "` + s.SyncDN + `"`,
		"database config",
		"rootpw " + s.ConfigPassword,
		"database mdb",
		"suffix cn=accesslog",
		"rootdn cn=admin,cn=accesslog",
		"rootpw " + s.AdminPassword,
		"directory " + s.Dir + "/log",
		"maxsize 1073741824",
		"dbnosync",
		"index objectClass,reqStart,reqType eq",
		"limits * size=unlimited",
		"database mdb",
		"suffix " + s.BaseDN,
		"rootdn " + s.AdminDN,
		"rootpw " + s.AdminPassword,
		"directory " + s.Dir + "/data",
		"maxsize 8589934592",
		"dbnosync", // a test's data need not survive the machine
		"index objectClass,entryCSN,entryUUID,uid,member eq",
		fmt.Sprintf(`limits dn.exact="%s" size=%s time=unlimited`, s.SyncDN, limit),
	}
	lines = append(lines, o.Access...)
	lines = append(lines, fmt.Sprintf(`access to * by dn.exact="%s" write by anonymous auth by users read`, s.SyncDN))
	lines = append(lines, o.Database...)
	lines = append(lines, "overlay accesslog", "logdb cn=accesslog", "logops writes", "logsuccess FALSE", "")
	if err := os.WriteFile(filepath.Join(s.Dir, "slapd.conf"), []byte(strings.Join(lines, "\n")), 0o600); err != nil {
		return fmt.Errorf("write slapd.conf: %w", err)
	}
	return nil
}

// load fills the database while the server is down, which is the fastest way.
func (s *SlapdServer) load(o SlapdOptions) error {
	seed := Entry(s.BaseDN, "objectClass", "dcObject", "objectClass", "organization", "dc", "example", "o", "Example") +
		Entry(s.PeopleDN, "objectClass", "organizationalUnit", "ou", "people") +
		Entry(s.MoreDN, "objectClass", "organizationalUnit", "ou", "more") +
		Entry(s.GroupsDN, "objectClass", "organizationalUnit", "ou", "groups") +
		Entry(s.SyncDN, "objectClass", "organizationalRole", "objectClass", "simpleSecurityObject", "cn", "sync",
			"userPassword", s.SyncPassword)
	var in io.Reader = strings.NewReader(seed + o.LDIF)
	if o.File != "" {
		f, err := os.Open(o.File)
		if err != nil {
			return fmt.Errorf("open the seed: %w", err)
		}
		defer f.Close()
		in = io.MultiReader(in, strings.NewReader("\n"), f)
	}
	cmd := exec.Command(s.add, "-q", "-f", filepath.Join(s.Dir, "slapd.conf"), "-b", s.BaseDN) //nolint:gosec,noctx // a test's own server
	cmd.Stdin = in
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("slapadd: %w: %s", err, out)
	}
	return nil
}

// Modify makes changes as the administrator: LDIF with changetype lines, through ldapmodify.
func (s *SlapdServer) Modify(ldif string) error {
	return s.modify(s.AdminDN, s.AdminPassword, ldif)
}

// Configure changes the server's own settings under cn=config while it runs.
func (s *SlapdServer) Configure(ldif string) error {
	return s.modify(s.ConfigDN, s.ConfigPassword, ldif)
}

func (s *SlapdServer) modify(dn, password, ldif string) error {
	cmd := exec.Command(s.ldapmodify, "-x", "-H", s.URL, "-D", dn, "-w", password) //nolint:gosec,noctx // a test's own server
	cmd.Stdin = strings.NewReader(ldif)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("ldapmodify: %w: %s", err, out)
	}
	return nil
}

// SetSizeLimit changes what the sync account may read in one search, for connections made from now on; 0 lifts it.
func (s *SlapdServer) SetSizeLimit(n int) error {
	limit := "unlimited"
	if n > 0 {
		limit = strconv.Itoa(n)
	}
	return s.Configure(fmt.Sprintf("dn: olcDatabase={2}mdb,cn=config\nchangetype: modify\nreplace: olcLimits\n"+
		"olcLimits: dn.exact=%q size=%s time=unlimited\n", s.SyncDN, limit))
}

// Search returns what ldapsearch prints to the administrator: LDIF without comments, long lines whole.
func (s *SlapdServer) Search(base, filter string, attributes ...string) (string, error) {
	args := append([]string{
		"-x", "-LLL", "-o", "ldif-wrap=no", "-H", s.URL, "-D", s.AdminDN, "-w", s.AdminPassword, "-b", base, filter,
	}, attributes...)
	return s.search(args)
}

// Writes returns how many write operations the server has seen since it was made, refused ones included.
func (s *SlapdServer) Writes() (int, error) {
	out, err := s.search([]string{
		"-x", "-LLL", "-H", s.URL, "-D", "cn=admin,cn=accesslog", "-w", s.AdminPassword, "-b", "cn=accesslog", "(reqType=*)", "1.1",
	})
	return strings.Count("\n"+out, "\ndn:"), err
}

func (s *SlapdServer) search(args []string) (string, error) {
	cmd := exec.Command(s.ldapsearch, args...) //nolint:gosec,noctx // a test's own server
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return string(out), fmt.Errorf("ldapsearch: %w: %s", err, &stderr)
	}
	return string(out), nil
}
