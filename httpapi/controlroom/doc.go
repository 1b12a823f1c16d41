// Package controlroom is the authentication of an Automation Anywhere Control Room as its clients speak it, below /v1 and /v2
// alike: a user name with an API key or a password becomes a token of 20 minutes, which can be validated, refreshed and ended.
//
//	login ──▶ session ──Mint──▶ token 1
//	             │ ◀──refresh── token 2 …      refresh ends nothing: clients use it to see whether a token lives
//	logout ──▶ ended, and with it all its tokens
//
// All failures of a login are one answer, octet for octet; the true reason is in the audit. A key login always makes a session
// of its own; a password login without multipleLogin ends the user's other such sessions.
package controlroom
