package main

import (
	"fmt"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
)

// sheet is a list for a person, or the same rows as JSON objects.
type sheet struct {
	w     *world
	names []string
	rows  [][]any
}

func (w *world) table(names ...string) *sheet { return &sheet{w: w, names: names} }

func (s *sheet) row(cells ...any) { s.rows = append(s.rows, cells) }

func (s *sheet) print() error {
	if s.w.output == outputJSON {
		out := make([]map[string]any, 0, len(s.rows))
		for _, r := range s.rows {
			object := make(map[string]any, len(r))
			for i, cell := range r {
				object[s.names[i]] = cell
			}
			out = append(out, object)
		}
		return s.w.print(out, nil)
	}
	if len(s.rows) == 0 {
		_, err := fmt.Fprintln(s.w.stdout, "none")
		return err
	}
	t := table.NewWriter()
	t.SetOutputMirror(s.w.stdout)
	style := table.StyleLight
	style.Options = table.OptionsNoBordersAndSeparators
	style.Box.PaddingLeft = ""
	style.Box.PaddingRight = "  "
	style.Format.Header = 0
	t.SetStyle(style)
	head := make(table.Row, len(s.names))
	for i, n := range s.names {
		head[i] = n
	}
	t.AppendHeader(head)
	for _, r := range s.rows {
		cells := make(table.Row, len(r))
		for i, c := range r {
			cells[i] = fmt.Sprint(c)
		}
		t.AppendRow(cells)
	}
	t.Render()
	return nil
}

// day shows a time as people say it, and nothing for never.
func day(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Local().Format("2006-01-02 15:04")
}
