package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/idbridge/idbridge"
)

func (w *world) keyScan() *cobra.Command {
	return &cobra.Command{
		Use: "scan PATH…", Args: cobra.MinimumNArgs(1),
		Short: "Look for keys in files and folders (- is stdin), without config or store; exit 1 when there are any",
		Long: "Looks for API keys in any rendering, by shape and checksum, and prints file, line and the key's id, never its secret.\n" +
			"Needs neither config nor store. Keys that were imported have no checksum and are not found. Links are not followed.",
		Example: "  idbridge key scan .\n  git log -p | idbridge key scan -",
		RunE: does(func(_ *cobra.Command, args []string) error {
			s := leakScan{w: w, list: w.table("file", "line", "key")}
			for _, path := range args {
				if err := s.path(path); err != nil {
					return fmt.Errorf("scan %q: %w", path, err)
				}
			}
			if w.output == outputJSON {
				if err := s.list.print(); err != nil {
					return err
				}
			}
			if s.found > 0 {
				return exitError
			}
			return nil
		}),
	}
}

// leakScan is one search for keys.
type leakScan struct {
	w     *world
	list  *sheet
	found int
}

func (s *leakScan) path(path string) error {
	if path == "-" {
		if s.w.stdin == nil {
			return nil
		}
		return s.read("-", s.w.stdin)
	}
	return filepath.WalkDir(path, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if !d.Type().IsRegular() && name != path || d.IsDir() { // a path that is given is read whatever it is
			return nil
		}
		file, err := os.Open(name)
		if err != nil {
			return err
		}
		return errors.Join(s.read(name, file), file.Close())
	})
}

func (s *leakScan) read(name string, r io.Reader) error {
	return scanKeys(r, func(line int, id idbridge.KeyID) {
		s.found++
		s.list.row(name, line, id)
		if s.w.output != outputJSON {
			fmt.Fprintf(s.w.stdout, "%s:%d: key %s\n", clean(name), line, id)
		}
	})
}

const (
	scanChunk = 1 << 16
	longest   = 45 // octets of the longest rendering
)

// scanKeys calls found for each key in a text, with the number of its line. It reads in chunks: a line may be of any length.
func scanKeys(r io.Reader, found func(line int, id idbridge.KeyID)) error {
	buf := make([]byte, 0, scanChunk+longest)
	line := 1
	for {
		n, err := r.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		last := err != nil
		i := 0
		for ; i < len(buf) && (last || len(buf)-i >= longest); i++ {
			if buf[i] == '\n' {
				line++
			} else if id, length := keyAt(buf[i:]); length > 0 {
				found(line, id)
				i += length - 1
			}
		}
		if last {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		buf = buf[:copy(buf, buf[i:])]
	}
}

// keyAt tells whether a text begins with a key, and how long that is; 0 for none. A checksum in base 62 begins with 0 … 4,
// which spares nearly all texts a closer look.
func keyAt(text []byte) (idbridge.KeyID, int) {
	const sum = 6
	for _, shape := range [...]struct{ length, marks int }{{longest, 2}, {41, 1}, {40, 0}} { // native, dotted, plain
		if len(text) < shape.length || text[shape.length-sum] < '0' || text[shape.length-sum] > '4' {
			continue
		}
		marks := 0 // the separators are ParseKeyText's to judge; all else is letters, in keys that are made here
		for _, b := range text[:shape.length] {
			if !letter(b) {
				if marks++; marks > shape.marks {
					break
				}
			}
		}
		if marks != shape.marks {
			continue
		}
		if key, ok := idbridge.ParseKeyText(string(text[:shape.length])); ok && key.Genuine() {
			return key.ID(), shape.length
		}
	}
	return "", 0
}

func letter(b byte) bool {
	return b >= '0' && b <= '9' || b >= 'A' && b <= 'Z' || b >= 'a' && b <= 'z'
}
