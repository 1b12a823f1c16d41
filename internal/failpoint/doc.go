// Package failpoint has named points where a test may kill, delay or fail the program, and named mutants that bring a
// fixed mistake back. Without their build tags (failpoints, mutants) both are constants that compile to nothing.
package failpoint
