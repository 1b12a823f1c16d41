//go:build race

package engine_test

// sequences is how many random lives one run of the suite leads. The race detector keeps memory for every coroutine there
// ever was (11 GiB were seen at 20,000), so the full number runs without it.
const sequences = 1_000
