package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/textproto"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	loadConns   = 32
	loadTime    = 3 * time.Second // of each reading
	loadTimeout = 10 * time.Second
)

// request is what a load is made of, and what each answer must hold.
type request struct {
	raw  [][]byte // sent in turns
	want string   // in the body; "" for any answer of status 200
}

func post(host, path, header string, bodies ...string) request {
	var r request
	for _, body := range bodies {
		r.raw = append(r.raw, []byte(fmt.Sprintf("POST %s HTTP/1.1\r\nHost: %s\r\n%sContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
			path, host, header, len(body), body)))
	}
	return r
}

// load is what a reading found.
type load struct {
	perSecond      float64
	p50, p99, p999 time.Duration
}

// drive sends requests over keep-alive connections for a while and measures each answer. It reads answers by hand, so that
// the generator takes as little of the machine as can be.
func drive(ctx context.Context, address string, r request) (load, error) {
	ctx, cancel := context.WithTimeout(ctx, loadTime)
	defer cancel()
	times := make([][]time.Duration, loadConns)
	faults := make([]error, loadConns)
	var all sync.WaitGroup
	start := time.Now()
	for i := range loadConns {
		all.Go(func() { times[i], faults[i] = one(ctx, address, r, i) })
	}
	all.Wait()
	took := time.Since(start)
	every := slices.Concat(times...)
	if err := errors.Join(faults...); err != nil || len(every) == 0 {
		return load{}, fmt.Errorf("load on %s: %d answers: %w", address, len(every), err)
	}
	slices.Sort(every)
	at := func(share float64) time.Duration { return every[min(len(every)-1, int(share*float64(len(every))))] }
	return load{float64(len(every)) / took.Seconds(), at(0.5), at(0.99), at(0.999)}, nil
}

// one is one connection's part.
func one(ctx context.Context, address string, r request, offset int) ([]time.Duration, error) {
	conn, err := net.Dial("tcp", address) //nolint:noctx // on loopback, and bounded by the deadline below
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	in := bufio.NewReaderSize(conn, 4096)
	times := make([]time.Duration, 0, 1<<16)
	var body []byte
	for n := offset; ctx.Err() == nil; n++ {
		start := time.Now()
		if err := conn.SetDeadline(start.Add(loadTimeout)); err != nil {
			return times, err
		}
		if _, err := conn.Write(r.raw[n%len(r.raw)]); err != nil {
			return times, err
		}
		if body, err = answer(in, body, r.want); err != nil {
			return times, err
		}
		times = append(times, time.Since(start))
	}
	return times, nil
}

// answer reads one answer, which must be a 200 with want in its body.
func answer(in *bufio.Reader, body []byte, want string) ([]byte, error) {
	line, err := in.ReadSlice('\n')
	if err != nil {
		return body, err
	}
	good := bytes.HasPrefix(line, []byte("HTTP/1.1 200"))
	status, length := string(bytes.TrimSpace(line)), 0
	for {
		if line, err = in.ReadSlice('\n'); err != nil {
			return body, err
		}
		if line = bytes.TrimSpace(line); len(line) == 0 {
			break
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		if textproto.CanonicalMIMEHeaderKey(string(name)) == "Content-Length" {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
				return body, err
			}
		}
	}
	body = slices.Grow(body[:0], length)[:length]
	for read := 0; read < length; {
		n, err := in.Read(body[read:])
		if err != nil {
			return body, err
		}
		read += n
	}
	if !good || !bytes.Contains(body, []byte(want)) {
		return body, fmt.Errorf("%s: %s", status, body)
	}
	return body, nil
}

// revoked verifies a key from many connections while it is revoked, and counts the good answers to questions that were
// asked after the revocation had been answered.
func revoked(ctx context.Context, address string, verify request, revoke func() error) (late int64, asked int64, err error) {
	var over atomic.Bool
	var bad, after atomic.Int64
	ctx, cancel := context.WithTimeout(ctx, loadTime)
	defer cancel()
	faults := make([]error, loadConns)
	var all sync.WaitGroup
	for i := range loadConns {
		all.Go(func() {
			conn, err := net.Dial("tcp", address) //nolint:noctx // as above
			if err != nil {
				faults[i] = err
				return
			}
			defer conn.Close()
			in, body := bufio.NewReaderSize(conn, 4096), []byte(nil)
			for ctx.Err() == nil {
				asked := over.Load() // before the question goes out
				if _, faults[i] = conn.Write(verify.raw[0]); faults[i] != nil {
					return
				}
				if body, faults[i] = answer(in, body, `"valid":`); faults[i] != nil {
					return
				}
				if asked {
					after.Add(1)
					if strings.Contains(string(body), `"valid":true`) {
						bad.Add(1)
					}
				}
			}
		})
	}
	time.Sleep(loadTime / 3)
	err = revoke()
	over.Store(true)
	all.Wait()
	return bad.Load(), after.Load(), errors.Join(err, errors.Join(faults...))
}
