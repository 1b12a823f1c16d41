package configs_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/configs"
)

var update = flag.Bool("update", false, "write the expected faults anew; read them before committing")

// hush is a password that no output may show.
const hush = "HUSH"

// TestFaults reads testdata/faults.txt: after each faulty file, what is said about it. A file lacks what it does not
// speak of; complete adds it behind, so that the lines stay.
func TestFaults(t *testing.T) {
	const file = "testdata/faults.txt"
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var anew strings.Builder
	rows := strings.Split("\n"+string(raw), "\n-- ")[1:]
	for _, row := range rows {
		name, data, _ := strings.Cut(row, " --\n")
		yaml, want, _ := strings.Cut(strings.TrimSuffix(data, "\n")+"\n", "# says\n")
		t.Run(name, func(t *testing.T) {
			got := said(t, complete(yaml))
			fmt.Fprintf(&anew, "-- %s --\n%s# says\n%s", name, yaml, got)
			if diff := cmp.Diff(want, got); diff != "" && !*update {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
	if *update {
		if err := os.WriteFile(file, []byte(anew.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if len(rows) < 60 {
		t.Errorf("%d rows, at least 60 are wanted", len(rows))
	}
}

// said loads a text and returns one line for each fault.
func said(t *testing.T, yaml string) string {
	t.Helper()
	_, err := load(t, yaml)
	if err == nil {
		t.Fatal("loaded without a fault")
	}
	var f *configs.Faults
	if !errors.As(err, &f) || !errors.Is(err, idbridge.Invalid) {
		t.Fatalf("%T is not *Faults of kind Invalid", err)
	}
	if strings.Contains(err.Error(), hush) {
		t.Errorf("shows a password:\n%v", err)
	}
	var b strings.Builder
	for _, one := range f.List {
		fmt.Fprintf(&b, "# %d:%d %s: %s", one.Line, one.Column, one.Path, one.Msg)
		if one.Hint != "" {
			fmt.Fprintf(&b, " = %s", one.Hint)
		}
		b.WriteByte('\n')
		if one.Line > 0 && one.Column < 1 {
			t.Errorf("line without a column: %v", one)
		}
	}
	return b.String()
}

func load(t *testing.T, yaml string) (*configs.Config, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "idbridge.yaml")
	if err := os.WriteFile(path, []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	return configs.Load(path, nil)
}

// complete adds the required keys that a file does not speak of.
func complete(yaml string) string {
	if strings.Contains(yaml, "- {}") && strings.HasPrefix(yaml, "directories:") || strings.HasPrefix(yaml, "hello") || strings.HasPrefix(yaml, "- a") {
		return yaml
	}
	if !strings.Contains(yaml, "directories:") {
		return yaml + "directories:\n- name: corp\n  urls: [ldaps://a]\n  base_dn: dc=a\n  map: {userName: uid}\n"
	}
	if !strings.Contains(yaml, "directories:\n- ") || strings.Contains(yaml, "changes: */2") {
		return yaml
	}
	parts := strings.Split(yaml, "\n- ")
	for i, part := range parts[1:] {
		for _, line := range []string{"name: corp", "urls: [ldaps://a]", "base_dn: dc=a", "map: {userName: uid}"} {
			if key, _, _ := strings.Cut(line, ":"); !strings.HasPrefix(part, key) && !strings.Contains(part, "\n  "+key+":") {
				part = strings.TrimSuffix(part, "\n") + "\n  " + line
			}
		}
		parts[i+1] = strings.TrimSuffix(part, "\n")
	}
	return strings.Join(parts, "\n- ") + "\n"
}
