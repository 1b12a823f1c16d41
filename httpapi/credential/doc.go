// Package credential answers who is asking, for every surface: it reads the carriers of a request that the surface admits,
// proves each credential that was presented, and returns one Caller.
//
//	headers ──read──▶ claims ──▶ key: one cached lookup, constant-time compare ──────────────┐
//	                         ├─▶ token: signature, then its session, then that one's key ────┤
//	                         └─▶ password: local hash, or bind at the user's directories ────┼─▶ one user, still let in ─▶ Caller
//	cookie ──────────────────▶ session: one cached lookup by digest, then its key ───────────┘
//
// A header credential that was presented and fails is a failure: nothing falls through to the next carrier or to a cookie.
// All failures look the same from outside, and cost the same work; the true reason goes to the audit. Sessions and tokens
// say who somebody is, and nothing about his rights: those are read again for every request. What a key began has the key's
// scopes, and ends with the key.
package credential
