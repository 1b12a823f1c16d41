// Package ldap speaks LDAP: it finds out what a server can do, lists its people and groups with proof that the list is
// whole, writes with compare-and-set, and checks a password by bind.
//
//	Directory ──Open──▶ Session ──Scan───▶ a connection of its own ─┐   Fetch, Apply, Scope: the session's connection
//	                                                                │
//	socket ▷ TLS ▷ tap ─┬─ messages of our own ids ─▶ walk (no packet tree) ─▶ entry ─▶ Record
//	                    └─ all others ─▶ go-ldap: bind, modify, extended operations
//
// The tap is why a listing is as fast as the server: the answers to our own searches never become packet objects.
package ldap
