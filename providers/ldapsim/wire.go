package ldapsim

import (
	"bufio"
	"context"
	"net"
	"sync"
	"time"
)

// wire is one side's socket: messages come whole, go whole, and never mix.
type wire struct {
	r *bufio.Reader

	mu   sync.Mutex
	conn net.Conn
	w    *bufio.Writer
}

func newWire(c net.Conn) *wire {
	return &wire{conn: c, r: bufio.NewReader(c), w: bufio.NewWriterSize(c, 64<<10)}
}

// write sends one message; entries of a search may wait in the buffer for what follows them.
func (w *wire) write(msg []byte, more bool) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, err := w.w.Write(msg); err != nil || more {
		return err
	}
	return w.w.Flush()
}

func (w *wire) flush() {
	w.mu.Lock()
	defer w.mu.Unlock()
	_ = w.w.Flush() // a dead connection shows at the next write
}

// drip sends a message byte by byte.
func (w *wire) drip(ctx context.Context, msg []byte, a *Armed, apart time.Duration) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.w.Flush(); err != nil {
		return err
	}
	for i := range msg {
		if _, err := w.conn.Write(msg[i : i+1]); err != nil {
			return err
		}
		if err := pause(ctx, a, apart); err != nil {
			return err
		}
	}
	return nil
}

// close ends the connection after what was written has gone out.
func (w *wire) close() {
	w.flush()
	_ = w.conn.Close() // nothing can be done about it
}

// pause waits for the time, for Release when it is zero, or for the end.
func pause(ctx context.Context, a *Armed, d time.Duration) error {
	var timer <-chan time.Time
	if d > 0 {
		t := time.NewTimer(d)
		defer t.Stop()
		timer = t.C
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-a.released:
	case <-timer:
	}
	return nil
}

// upgrade takes over the socket of another wire; nobody else may be using w.
func (w *wire) upgrade(to *wire) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.conn, w.r, w.w = to.conn, to.r, to.w
}
