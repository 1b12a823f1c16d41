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
// How to rehearse what goes wrong in practice, on a Server and, where marked *, on a Proxy too:
//
//	success and nobody in it *          Fault{Op: OpSearch, Filter: "inetOrgPerson", Do: Empty}
//	the line breaks on page three *     Fault{Op: OpSearch, Filter: "inetOrgPerson", After: 2, Do: Cut, N: 9}
//	a limit after 1,000 entries *       Fault{Op: OpSearch, Filter: "inetOrgPerson", Do: Refuse, Code: 4, N: 1000}
//	a right is lost on the way *        Fault{Op: OpSearch, Do: Withdraw, Attributes: []string{"mail"}}
//	applied, and the answer lost *      Fault{Op: OpModify, Do: Cut}, or Lose to keep the connection
//	a write that lands much later *     Fault{Op: OpModify, Do: Delay}; Struck; the client gives up; Release
//	an edit between read and write *    the same, and the edit between Struck and Release
//	a group in ranges, one of them lost SetRanges(1500); Fault{Op: OpSearch, Under: group, After: 1, Do: Refuse, Code: 51}
//	a replica that lags                 Lag(true); write; read; Lag(false)
//	a server with its own spelling      SetRewrites(Rewrite{"mail", Lower})
//	StartTLS stripped                   a Proxy refuses it always
//
// Encoder, decoder and DN parser are its own: a second opinion on the client's library, and no part of the limits that
// go-asn1-ber keeps in variables of the process, which the client sets while the server reads.
package ldapsim
