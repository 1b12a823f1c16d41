// Package assets is the users API of the Asset Manager as its clients speak it: users and their one API key below
// /api/rest/management, in JSON and in XML, with Bearer KEY or Basic and never with a cookie.
//
//	fmt, Accept ──▶ format ─┐
//	carriers ──▶ who ───────┼─▶ superuser, or himself ─▶ the store ─▶ one value, written in the format
//	query, body ──▶ strict ─┘
//
// Some GETs of this API change something. They are guarded: no HEAD, no prefetch, not from another site's page, and exactly
// the documented values. A superuser is whoever has ADMIN; a caller without it sees and changes himself alone, and learns
// nothing about other names. A superuser makes keys for users without a directory whatever their profile holds, since this
// API has no members for given name and e-mail; for everybody else the rule of three filled fields holds.
package assets
