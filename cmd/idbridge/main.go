// Command idbridge keeps the user details of directories and its own store equal, and answers whose key it is and what
// a user may do. This package is the roof: it introduces the rooms to each other and has no rules of its own.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
)

// gcPercent keeps the heap of a daemon, that mostly waits, at half again what lives in it: a first import of 100,000 people
// was seen to end with 114 MB resident instead of 132. GOGC overrides it.
const gcPercent = 50

func main() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	os.Exit(run(context.Background(), os.Args[1:], os.Getenv, os.Stdin, os.Stdout, os.Stderr))
}

// run is the whole program: it returns the exit code and never exits by itself, so that tests can call it.
func run(ctx context.Context, args []string, getenv func(string) string, stdin io.Reader, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // the first signal asks, the second one kills

	w := &world{getenv: getenv, stdin: stdin, stdout: stdout, stderr: stderr, args: args}
	defer w.close()
	return report(stderr, w.execute(ctx))
}
