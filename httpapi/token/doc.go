// Package token makes and proves JWTs of two sorts, each with keys of its own: Control Room tokens (RS512), which belong to
// a session and die with it, and role tokens (EdDSA), which other programs check offline by the key set.
//
//	store ──SigningKeys──▶ Ring ──▶ ControlRoom   {"alg":"RS512"}                          Mint, Bearer
//	                          └───▶ Roles         EdDSA, kid, typ idbridge-role+jwt        Mint, Read, JWKS
//
// A token is read with one algorithm, without leeway, and with every claim that it must have. What a header offers as a
// key or as the address of one is not looked at.
package token
