// Package testserver starts real servers (PostgreSQL, slapd) in scratch directories on free ports of the loopback, for
// tests and benchmarks only. Nothing of it is linked into the program.
//
//	Need ──finds──▶ program ──runs as an ordinary user──▶ scratch directory ──stopped and removed──▶ cleanup
//
// A missing program skips the test, or fails it where REQUIRE_ALL=1.
package testserver
