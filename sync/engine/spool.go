package engine

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
)

// spool keeps byte frames in the order they came: in memory up to a limit, beyond it in a temporary file that has no name
// any more, so that nothing is left behind when the daemon dies.
type spool struct {
	dir   string
	limit int
	mem   []byte
	file  *os.File
	w     *bufio.Writer
	count int
}

// append adds one frame.
func (s *spool) append(frame []byte) error {
	s.count++
	if s.file == nil && len(s.mem)+len(frame) <= s.limit {
		s.mem = binary.AppendUvarint(s.mem, uint64(len(frame)))
		s.mem = append(s.mem, frame...)
		return nil
	}
	if s.file == nil {
		if err := s.spill(); err != nil {
			return err
		}
	}
	var head [binary.MaxVarintLen64]byte
	if _, err := s.w.Write(head[:binary.PutUvarint(head[:], uint64(len(frame)))]); err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	if _, err := s.w.Write(frame); err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	return nil
}

// spill moves what is in memory into a file.
func (s *spool) spill() error {
	f, err := os.CreateTemp(s.dir, "idbridge-run-*")
	if err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	if err := os.Remove(f.Name()); err != nil {
		return fmt.Errorf("spool: %w", errors.Join(err, f.Close()))
	}
	s.file, s.w = f, bufio.NewWriterSize(f, 1<<16)
	if _, err := s.w.Write(s.mem); err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	s.mem = nil
	return nil
}

// frames reads everything from the beginning. A frame is valid until the next one is asked for. Nothing may be appended
// meanwhile; it may be read several times.
func (s *spool) frames() iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		if s.file == nil {
			for rest := s.mem; len(rest) > 0; {
				n, head := binary.Uvarint(rest)
				if head <= 0 || n > uint64(len(rest)-head) { //nolint:gosec // head is within rest
					yield(nil, errors.New("spool: broken frame"))
					return
				}
				end := head + int(n) //nolint:gosec // checked above
				if !yield(rest[head:end], nil) {
					return
				}
				rest = rest[end:]
			}
			return
		}
		if err := s.w.Flush(); err != nil {
			yield(nil, fmt.Errorf("spool: %w", err))
			return
		}
		s.readFile(yield)
	}
}

func (s *spool) readFile(yield func([]byte, error) bool) {
	r := bufio.NewReaderSize(io.NewSectionReader(s.file, 0, 1<<62), 1<<16)
	var buf []byte
	for range s.count {
		n, err := binary.ReadUvarint(r)
		if err != nil {
			yield(nil, fmt.Errorf("spool: %w", err))
			return
		}
		if uint64(cap(buf)) < n {
			buf = make([]byte, n)
		}
		buf = buf[:n]
		if _, err := io.ReadFull(r, buf); err != nil {
			yield(nil, fmt.Errorf("spool: %w", err))
			return
		}
		if !yield(buf, nil) {
			return
		}
	}
}

// close frees the file. The spool is empty afterwards.
func (s *spool) close() {
	if s.file != nil {
		s.file.Close() //nolint:errcheck // it has no name and nobody reads it again
	}
	*s = spool{dir: s.dir, limit: s.limit}
}
