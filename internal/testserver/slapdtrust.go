package testserver

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
)

// SetCertificate gives the server another certificate and restarts it; by signs it, nil is the server's own authority.
func (s *SlapdServer) SetCertificate(c Certificate, by *Authority) error {
	if by == nil {
		by = s.Authority
	}
	cert, key, err := by.Issue(c)
	if err != nil {
		return err
	}
	conf := filepath.Join(s.Dir, "slapd.conf")
	text, err := os.ReadFile(conf)
	if err != nil {
		return fmt.Errorf("read slapd.conf: %w", err)
	}
	for setting, file := range map[string]string{"TLSCertificateFile": cert, "TLSCertificateKeyFile": key} {
		text = regexp.MustCompile(`(?m)^`+setting+` .*$`).ReplaceAllLiteral(text, []byte(setting+" "+file))
	}
	s.Stop()
	if err := os.WriteFile(conf, text, 0o600); err != nil {
		return errors.Join(fmt.Errorf("write slapd.conf: %w", err), s.Start())
	}
	return s.Start()
}

// SetSyncPassword changes the password of the sync account, for binds from now on; SyncPassword stays what it was.
func (s *SlapdServer) SetSyncPassword(password string) error {
	return s.Modify(Change(s.SyncDN, "userPassword", password))
}
