package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"

	"github.com/idbridge/idbridge"
)

// forward has a command done by the daemon that holds the store, and passes its output on as if it were done here. It
// returns the daemon's exit code.
func (w *world) forward(ctx context.Context, conn net.Conn) error {
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() }) // the daemon sees the end and cancels the command
	defer stop()
	if err := writeFrame(conn, frameCommand, encodeOrder(order{Args: w.args, Terminal: w.terminal()})); err != nil {
		return lost(err)
	}
	go sendStdin(conn, w.stdin) // ends with the connection, or with the process: a terminal's read cannot be called back
	for {
		kind, payload, err := readFrame(conn)
		if err != nil {
			return lost(err)
		}
		switch kind {
		case frameStdout:
			_, err = w.stdout.Write(payload)
		case frameStderr:
			_, err = w.stderr.Write(payload)
		case frameExit:
			code, bad := strconv.Atoi(string(payload))
			if bad != nil {
				return lost(bad)
			}
			return exit(code)
		}
		if err != nil {
			return failure{err}
		}
	}
}

func lost(err error) error {
	return failure{&idbridge.Error{
		Kind: idbridge.Unknown, Msg: "the daemon stopped answering while it did this command",
		Hint: "see `idbridge status`: the command may have been done", Err: err,
	}}
}

func sendStdin(conn io.Writer, stdin io.Reader) {
	if stdin == nil {
		return
	}
	buf := make([]byte, 4096)
	for {
		n, err := stdin.Read(buf)
		if n > 0 && writeFrame(conn, frameStdin, buf[:n]) != nil {
			return
		}
		if err != nil {
			_ = writeFrame(conn, frameStdinEnd, nil) // the daemon may be gone already
			return
		}
	}
}

// obey does one command for a client of the control socket, with the daemon's own store and engine.
func (h *house) obey(ctx context.Context, conn net.Conn) {
	defer conn.Close()
	kind, payload, err := readFrame(conn)
	if err != nil || kind != frameCommand {
		return
	}
	o, err := decodeOrder(payload)
	if err != nil {
		return
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stdin, feed := io.Pipe()
	defer stdin.Close()
	go func() { // ends when the client hangs up, which also ends the command
		defer cancel()
		receiveStdin(conn, feed)
	}()
	var mu sync.Mutex
	w := &world{
		getenv: h.getenv, args: o.Args, stdin: stdin, house: h, remote: true, colour: o.Terminal,
		stdout: frameWriter{&mu, conn, frameStdout}, stderr: frameWriter{&mu, conn, frameStderr},
	}
	code := report(w.stderr, w.execute(ctx))
	mu.Lock()
	defer mu.Unlock()
	_ = writeFrame(conn, frameExit, []byte(strconv.Itoa(code))) // a client that left needs no answer
}

func receiveStdin(conn io.Reader, feed *io.PipeWriter) {
	for {
		kind, payload, err := readFrame(conn)
		switch {
		case err != nil:
			feed.CloseWithError(io.ErrUnexpectedEOF)
			return
		case kind == frameStdinEnd:
			feed.Close()
		case kind == frameStdin:
			if _, err := feed.Write(payload); err != nil && !errors.Is(err, io.ErrClosedPipe) {
				return
			}
		}
	}
}

// control serves the control socket until ctx ends, and waits for the commands in progress.
func (p *process) control(ctx context.Context, listener net.Listener) error {
	stop := context.AfterFunc(ctx, func() { listener.Close() })
	defer stop()
	var busy sync.WaitGroup
	defer busy.Wait()
	for {
		conn, err := listener.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("control socket: %w", err)
		}
		busy.Go(func() {
			stop := context.AfterFunc(ctx, func() { conn.Close() })
			defer stop()
			p.house().obey(ctx, conn)
		})
	}
}
