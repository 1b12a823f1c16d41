// Package ldapsim is an LDAP server in memory behind a real socket: the directory of the demo, and the saboteur of the
// tests. It is never the evidence that a real server works.
//
//	socket ─▶ wire (frames) ─▶ conn (one per client) ─▶ search · write · bind · extended
//	                                 │                        │
//	                              stream ◀── Fault          database (one mutex) = tree + schema + rights + CSN + log
//
// It speaks the manners of OpenLDAP: the result codes, the operational attributes, the pages that are no frozen picture.
// Proxy puts the same faults before a real server.
//
// Encoder, decoder and DN parser are its own: a second opinion on the client's library, and no part of the limits that
// go-asn1-ber keeps in variables of the process, which the client sets while the server reads.
package ldapsim
