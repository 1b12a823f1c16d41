// Package configs reads the one YAML file. It fills defaults, reports every fault at once with line, column and a hint,
// and hands each room its settings.
//
//	file ─▶ precheck ─▶ parse ─▶ walk (table of keys) ─▶ values ─▶ build ─▶ Config ─▶ check (across keys, rooms' Validate)
//	                                 └▶ Schema, Example's test, Show: from the same table
//
// The table of keys is the only place where a key, its default, its shape and its documentation are written down.
// Secrets never reach a fault or Show: they are read into idbridge.Secret, and excerpts of the file are masked line by line.
package configs
