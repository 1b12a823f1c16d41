//go:build mutants

package failpoint

import (
	"os"
	"slices"
	"strings"
	"sync"
)

var mutants = sync.OnceValue(func() []string { // read once; exists in mutant builds only
	return strings.FieldsFunc(os.Getenv("MUTANT"), func(r rune) bool { return r == ',' || r == '+' })
})

// Mutant tells whether the environment variable MUTANT names the mistake; several are joined by a comma or plus.
func Mutant(name string) bool { return slices.Contains(mutants(), name) }
