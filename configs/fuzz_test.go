package configs_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/idbridge/idbridge/configs"
)

// FuzzLoad holds that no file makes Load panic, that its answer is short, and that a password between two arbitrary
// texts is never shown.
func FuzzLoad(f *testing.F) {
	f.Add(configs.Example(), "")
	f.Add("", small)
	f.Add(small+"  bind:\n    dn: cn=a", "")
	f.Add("store:", "  url: 5\n")
	raw, err := os.ReadFile("testdata/faults.txt")
	if err != nil {
		f.Fatal(err)
	}
	for _, row := range strings.Split("\n"+string(raw), "\n-- ")[1:] {
		_, data, _ := strings.Cut(row, " --\n")
		yaml, _, _ := strings.Cut(data, "# says\n")
		f.Add(complete(yaml), "")
		f.Add(yaml, small)
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, before, after string) {
		path := filepath.Join(dir, fmt.Sprintf("%d.yaml", os.Getpid()))
		text := before + "\n    password: HUSH\n" + after
		if strings.Contains(before+after, hush) {
			return
		}
		for _, one := range []string{text, before + after} {
			if err := os.WriteFile(path, []byte(one), 0o600); err != nil {
				t.Fatal(err)
			}
			cfg, err := configs.Load(path, nil)
			var faults *configs.Faults
			switch {
			case err == nil:
				if strings.Contains(configs.Show(cfg), hush) {
					t.Fatal("Show shows a password")
				}
			case !errors.As(err, &faults) || len(faults.List) == 0:
				t.Fatalf("no faults: %v", err)
			default:
				for _, said := range []string{err.Error(), fmt.Sprintf("%+v", faults.List)} {
					if strings.Contains(said, hush) {
						t.Fatalf("shows a password: %s", said)
					}
					if len(said) > 300_000 {
						t.Fatalf("%d bytes of faults", len(said))
					}
				}
			}
		}
	})
}
