package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/configs"
)

// exit is an exit code of the program; docs/commands.md lists them. It is an error, so that a command returns it.
type exit int

// The exit codes. When several apply, the first of usage, error, locked, unreachable, held, conflicts, quarantined,
// pending wins.
const (
	exitDone        exit = 0
	exitError       exit = 1
	exitUsage       exit = 2 // usage or config
	exitPending     exit = 3 // a plan has changes to make
	exitHeld        exit = 4 // a guard holds a plan
	exitConflicts   exit = 5 // conflicts wait for a person
	exitUnreachable exit = 6 // the directory could not be read, or not completely
	exitQuarantined exit = 7 // some records could not be used
	exitLocked      exit = 75
)

// Error says nothing: a command that returns an exit has said everything already.
func (e exit) Error() string { return fmt.Sprintf("exit %d", int(e)) }

// rank orders the codes: smaller wins.
func (e exit) rank() int {
	for i, c := range []exit{exitUsage, exitError, exitLocked, exitUnreachable, exitHeld, exitConflicts, exitQuarantined, exitPending} {
		if e == c {
			return i
		}
	}
	return 99
}

// worse returns the code that wins of two.
func worse(a, b exit) exit {
	if b.rank() < a.rank() {
		return b
	}
	return a
}

// failure marks an error that came out of a command's own work. What is not marked is cobra's complaint about usage.
type failure struct{ err error }

func (f failure) Error() string { return f.err.Error() }
func (f failure) Unwrap() error { return f.err }

// report is the one mouth for errors: it prints message and hint, and returns the exit code.
func report(stderr io.Writer, err error) int {
	if err == nil {
		return int(exitDone)
	}
	var code exit
	if errors.As(err, &code) {
		return int(code)
	}
	var ours failure
	if !errors.As(err, &ours) {
		fmt.Fprintf(stderr, "idbridge: %v\nTry: idbridge --help\n", err)
		return int(exitUsage)
	}
	if errors.Is(err, context.Canceled) {
		fmt.Fprintln(stderr, "idbridge: interrupted")
		return int(exitError)
	}
	fmt.Fprintf(stderr, "idbridge: %v\n", ours.err)
	if hint := idbridge.HintOf(err); hint != "" {
		fmt.Fprintf(stderr, "  %s\n", hint)
	}
	return int(exitOf(err))
}

// exitOf is the table from kinds to exit codes.
func exitOf(err error) exit {
	var faults *configs.Faults
	if errors.As(err, &faults) {
		return exitUsage
	}
	switch idbridge.KindOf(err) {
	case idbridge.Locked:
		return exitLocked
	case idbridge.Unavailable, idbridge.Incomplete, idbridge.Unauthentic:
		return exitUnreachable
	case idbridge.Held:
		return exitHeld
	case idbridge.Internal, idbridge.Invalid, idbridge.NotFound, idbridge.Conflicting, idbridge.Exists, idbridge.Forbidden,
		idbridge.Unknown, idbridge.Refused:
	}
	return exitError
}
