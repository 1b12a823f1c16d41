// Package httpapi serves the bridge to other programs: whose key is this, what may this user do, and everything that
// people and administrators do with users, keys, roles and runs. It knows statuses; nothing below it does.
//
//	request ─▶ exchange (id, headers, log line, metric) ─▶ hot routes ───────────────▶ appended JSON
//	                         │                          └▶ ServeMux ─▶ huma ─▶ handler ─▶ JSON
//	                         └▶ credential: who is asking ─▶ permission ─┘        └▶ problem: kind ─▶ status
//
// Who may do what is decided here, with the caller as a parameter, never in SQL and never out of a context.
package httpapi
