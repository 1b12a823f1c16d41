//go:build !race

package engine_test

// sequences is how many random lives one run of the suite leads.
const sequences = 20_000
