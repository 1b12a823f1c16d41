// Package rest is what the facades have in common that clients call with a key or a password once and with a cookie from
// then on: imaging, dashboards and publish. It proves who asks, gives him a session with the first answer, and words errors.
//
//	request ──▶ Gate.Enter ── Resolve ─▶ XSRF echo ─▶ session and cookies, when there is none ──▶ caller
//	                └── anything wrong: {"error":"unauthorized"} …, and a row of the audit with the true reason
package rest
