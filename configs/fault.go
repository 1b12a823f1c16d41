package configs

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/idbridge/idbridge"
)

// Fault is one thing that is wrong with the file.
type Fault struct {
	Path   string `json:"path,omitempty"`   // directories[0].bind.dn
	Line   int    `json:"line,omitempty"`   // from 1; 0 when it is nowhere in the file
	Column int    `json:"column,omitempty"` // from 1, in characters
	Msg    string `json:"message"`
	Hint   string `json:"hint,omitempty"`
	Source string `json:"source,omitempty"` // the line, secrets masked
}

// Faults is everything that is wrong with the file, by line. It is an error of kind Invalid; its JSON is stable.
type Faults struct {
	File string  `json:"file"`
	List []Fault `json:"faults"`
}

// Error prints all faults, each with its line, a caret and a hint.
func (f *Faults) Error() string {
	var b strings.Builder
	for i := range f.List {
		if i > 0 {
			b.WriteByte('\n')
		}
		f.List[i].print(&b, f.File)
	}
	return b.String()
}

// Unwrap makes errors.Is(err, idbridge.Invalid) true.
func (f *Faults) Unwrap() error { return idbridge.Invalid }

// print writes
//
//	idbridge.yaml:7:5: unknown key "prot"
//	   7 |   prot: 3
//	     |   ^
//	   = did you mean "port"?
func (f *Fault) print(b *strings.Builder, file string) {
	b.WriteString(file)
	if f.Line > 0 {
		fmt.Fprintf(b, ":%d:%d", f.Line, f.Column)
	}
	b.WriteString(": ")
	if f.Path != "" {
		b.WriteString(f.Path + ": ")
	}
	b.WriteString(f.Msg)
	if f.Source != "" {
		before := min(max(f.Column-1, 0), utf8.RuneCountInString(f.Source))
		fmt.Fprintf(b, "\n%6d | %s\n       | %s^", f.Line, f.Source, strings.Repeat(" ", before))
	}
	if f.Hint != "" {
		b.WriteString("\n       = " + f.Hint)
	}
}

// faults collects while the file is read. Past maxFaults they are counted only.
type faults struct {
	lines []string // masked
	list  []Fault
	more  int
}

const maxFaults = 100

// add notes a fault at a place of the file. Message and hint are masked and shortened, whatever was quoted in them.
func (f *faults) add(at place, path, hint, format string, args ...any) {
	if len(f.list) >= maxFaults {
		f.more++
		return
	}
	one := Fault{Path: clean(path), Line: at.line, Column: at.column, Msg: clean(fmt.Sprintf(format, args...)), Hint: clean(hint)}
	if at.line > 0 && at.line <= len(f.lines) {
		one.Source = excerpt(f.lines[at.line-1], at.column)
	}
	f.list = append(f.list, one)
}

// err returns the collected faults in the order of the file, nil for none.
func (f *faults) err(file string) error {
	if len(f.list) == 0 {
		return nil
	}
	slices.SortStableFunc(f.list, func(a, b Fault) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	f.list = slices.CompactFunc(f.list, func(a, b Fault) bool { return a == b })
	if f.more > 0 {
		f.list = append(f.list, Fault{Msg: fmt.Sprintf("and %d more", f.more)})
	}
	return &Faults{File: file, List: f.list}
}

// at tells whether a fault is noted at a path or below it.
func (f *faults) at(path string) bool {
	return slices.ContainsFunc(f.list, func(o Fault) bool {
		rest, ok := strings.CutPrefix(o.Path, path)
		return ok && (rest == "" || rest[0] == '.' || rest[0] == '[')
	})
}

// place is where something stands in the file; the zero place is nowhere.
type place struct{ line, column int }
