package testserver

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// Snapshot keeps a copy of the people's database, as a nightly backup would; the server is down meanwhile. A later one
// takes its place.
func (s *SlapdServer) Snapshot() error {
	s.Stop()
	return errors.Join(replaceFolder(s.backup(), s.data()), s.Start())
}

// Restore brings back what Snapshot kept: everything that was written since is gone, and the server's own counters
// (contextCSN, entryCSN) go back. The log of writes does not.
func (s *SlapdServer) Restore() error {
	if _, err := os.Stat(s.backup()); err != nil {
		return fmt.Errorf("restore: there is no snapshot: %w", err)
	}
	s.Stop()
	return errors.Join(replaceFolder(s.data(), s.backup()), s.Start())
}

func (s *SlapdServer) data() string   { return filepath.Join(s.Dir, "data") }
func (s *SlapdServer) backup() string { return filepath.Join(s.Dir, "backup") }

// replaceFolder copies by cp, which keeps the holes of a file: the database has the size of its limit, and hardly any of
// it is there.
func replaceFolder(to, from string) error {
	if err := os.RemoveAll(to); err != nil {
		return fmt.Errorf("remove %s: %w", to, err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if out, err := exec.CommandContext(ctx, "cp", "-a", "--sparse=always", from, to).CombinedOutput(); err != nil {
		return fmt.Errorf("copy %s: %w: %s", from, err, out)
	}
	return nil
}

// Move is a change record that gives an entry, and everything below it, a new name or a new place; "" leaves what is there.
//
//	Move("ou=people,dc=example,dc=org", "ou=staff", "")
//	Move("uid=a,ou=people,dc=example,dc=org", "", "ou=more,dc=example,dc=org")
func Move(dn, rdn, above string) string {
	if rdn == "" {
		rdn = firstRDN(dn)
	}
	text := "dn: " + dn + "\nchangetype: modrdn\nnewrdn: " + rdn + "\ndeleteoldrdn: 1\n"
	if above != "" {
		text += "newsuperior: " + above + "\n"
	}
	return text + "\n"
}

func firstRDN(dn string) string {
	for i := 0; i < len(dn); i++ {
		switch dn[i] {
		case '\\':
			i++
		case ',':
			return dn[:i]
		}
	}
	return dn
}
