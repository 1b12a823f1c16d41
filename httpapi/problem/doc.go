// Package problem is the one place where the dictionary's error kinds become HTTP statuses. Each surface renders the
// result in its own dialect; the native API sends it as application/problem+json (RFC 9457).
package problem
