// Package authstore remembers: users, links, cursors, groups, roles, keys, conflicts, runs, plans, audit; and it keeps the
// bounded cache that answers "whose key is this" and "what may this user do" without asking the database.
//
//	engine ──Commit/Settle──▶ one transaction per batch ──▶ SQLite (one writer, N readers) or PostgreSQL
//	httpapi ──KeyAccess──▶ cache ──miss──▶ database
//	            ▲ invalidated before a write returns
//
// One concrete Store serves both databases with one SQL text; where set-based and row-wise statements must differ they
// are generated from one description (shape).
package authstore
