package main

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"sync"
)

// A frame is one message on the control socket: a type octet, four octets of length, the payload.
//
//	client → daemon   c {"args":[…],"terminal":true}   then i (stdin octets) and e (end of stdin)
//	daemon → client   o (stdout) · x (stderr) · q (exit code, decimal; the last one)
const (
	frameCommand  = 'c'
	frameStdin    = 'i'
	frameStdinEnd = 'e'
	frameStdout   = 'o'
	frameStderr   = 'x'
	frameExit     = 'q'

	maxFrame = 1 << 20
)

// order is the payload of the command frame.
type order struct {
	Args     []string `json:"args"`
	Terminal bool     `json:"terminal"` // the client's stdout is a terminal: colours are welcome
}

func writeFrame(w io.Writer, kind byte, payload []byte) error {
	head := make([]byte, 5, 5+len(payload))
	head[0] = kind
	binary.BigEndian.PutUint32(head[1:], uint32(len(payload))) //nolint:gosec // callers stay below maxFrame
	_, err := w.Write(append(head, payload...))
	return err
}

func readFrame(r io.Reader) (byte, []byte, error) {
	var head [5]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, nil, err
	}
	n := binary.BigEndian.Uint32(head[1:])
	if n > maxFrame {
		return 0, nil, fmt.Errorf("control frame of %d octets, more than %d", n, maxFrame)
	}
	payload := make([]byte, n)
	if _, err := io.ReadFull(r, payload); err != nil {
		return 0, nil, err
	}
	return head[0], payload, nil
}

// frameWriter is a stream (stdout or stderr of a command) sent as frames. Several share one connection.
type frameWriter struct {
	mu   *sync.Mutex
	w    io.Writer
	kind byte
}

// Write sends p in frames of bounded size.
func (f frameWriter) Write(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	done := 0
	for done < len(p) {
		n := min(len(p)-done, maxFrame)
		if err := writeFrame(f.w, f.kind, p[done:done+n]); err != nil {
			return done, err
		}
		done += n
	}
	return done, nil
}

func encodeOrder(o order) []byte {
	b, err := json.Marshal(o)
	if err != nil { // strings and a bool always marshal
		return nil
	}
	return b
}

func decodeOrder(b []byte) (order, error) {
	var o order
	err := json.Unmarshal(b, &o)
	return o, err
}
