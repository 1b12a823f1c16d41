//go:build !failpoints

package failpoint

// Hit marks a point by name. It does nothing without the build tag failpoints.
func Hit(string) error { return nil }
