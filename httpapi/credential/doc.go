// Package credential answers who is asking, for every surface: it reads the carriers of a request, proves each credential
// that was presented, and returns one Caller.
//
//	headers ──Read──▶ claims ──▶ key: one cached lookup, constant-time compare ─┐
//	                         └─▶ password: bind at the user's directories ──────┴─▶ one user, still allowed in ─▶ Caller
//
// A credential that was presented and fails is a failure: nothing falls through to the next carrier. All failures look the
// same from outside; the true reason goes to the audit.
package credential
