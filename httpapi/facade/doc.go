// Package facade is the seam between the API and the facades, which speak the dialects of other systems: what a facade
// offers so that the API mounts its routes beside the native ones, enters them into the document, and lets the facade
// itself say that there is nothing.
package facade
