package testserver

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Need finds a program and returns its path. program holds alternatives, the first that exists wins. They are looked for in
// PATH and in the folders where Debian keeps servers (/usr/lib/postgresql/*/bin with the newest version first, /usr/sbin …).
// When none is there the test is skipped, or fails where REQUIRE_ALL=1.
func Need(t testing.TB, program ...string) string {
	t.Helper()
	path, err := find(program...)
	if err == nil {
		return path
	}
	if os.Getenv("REQUIRE_ALL") == "1" {
		t.Fatalf("%v, and REQUIRE_ALL=1 allows no skip", err)
	}
	t.Skipf("%v", err)
	return ""
}

// find returns the first of the programs that is installed.
func find(program ...string) (string, error) {
	for _, name := range program {
		if path, err := exec.LookPath(name); err == nil {
			return filepath.Abs(path)
		}
		for _, dir := range wellKnown() {
			path := filepath.Join(dir, name)
			if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
				return path, nil
			}
		}
	}
	return "", fmt.Errorf("%s is not installed", strings.Join(program, " or "))
}

// wellKnown lists folders that Debian keeps out of an ordinary user's PATH, newest PostgreSQL first.
func wellKnown() []string {
	dirs, err := filepath.Glob("/usr/lib/postgresql/*/bin")
	if err != nil {
		dirs = nil
	}
	slices.SortFunc(dirs, func(a, b string) int { // 9.6 before 16 by text, so the longer number counts as newer
		if len(a) != len(b) {
			return len(b) - len(a)
		}
		return strings.Compare(b, a)
	})
	return append(dirs, "/usr/sbin", "/sbin", "/usr/local/sbin", "/usr/lib/openldap", "/usr/libexec")
}
