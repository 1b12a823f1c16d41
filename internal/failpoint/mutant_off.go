//go:build !mutants

package failpoint

// Mutant tells whether the named mistake is switched on; without the build tag mutants it never is.
func Mutant(string) bool { return false }
