package main

import (
	"bufio"
	"encoding/csv"
	"fmt"
	"io"
	"iter"
	"strings"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/sync/plan"
)

// csvPlan writes a plan as CSV (RFC 4180), a line for each thing that a person would read of it. A cell that a
// spreadsheet would take for a formula has an apostrophe before it.
type csvPlan struct {
	out       io.Writer
	directory string
	names     namer
}

// Planned writes the lines.
func (p *csvPlan) Planned(_ idbridge.Plan, decisions iter.Seq2[idbridge.Decision, error]) error {
	w := csv.NewWriter(p.out)
	if err := w.Write([]string{"directory", "sign", "verb", "name", "id", "attribute", "before", "after", "to", "why"}); err != nil {
		return err
	}
	names := painter{names: p.names}
	for d, err := range decisions {
		if err != nil {
			return err
		}
		who, err := names.members(&d)
		if err != nil {
			return err
		}
		for _, l := range plan.Lines(&d) {
			if name, ok := who[l.Name]; ok {
				l.Name = name
			}
			row := []string{p.directory, string(l.Sign), l.Verb, l.Name, d.ID.ID, string(l.Attribute), l.Before, l.After, string(l.To), l.Why}
			for i := range row {
				if i != 1 && row[i] != "" && strings.ContainsAny(row[i][:1], "=+-@\t\r") {
					row[i] = "'" + row[i]
				}
			}
			if err := w.Write(row); err != nil {
				return err
			}
		}
	}
	w.Flush()
	return w.Error()
}

// changeWriter writes a directory step as an LDIF change record.
type changeWriter interface {
	LDIF(step idbridge.Step) (string, error)
}

// ldifPlan writes a plan as LDIF (RFC 2849): the changes of the directory as records that ldapmodify would take, those of
// the store as comments.
type ldifPlan struct {
	out       io.Writer
	directory changeWriter
}

// Planned writes the records.
func (p *ldifPlan) Planned(header idbridge.Plan, decisions iter.Seq2[idbridge.Decision, error]) error {
	w := bufio.NewWriter(p.out)
	fmt.Fprintf(w, "version: 1\n# plan %s of %s; lines that begin with # change the store\n\n", short(header.Hash), header.Directory)
	for d, err := range decisions {
		if err != nil {
			return err
		}
		for _, l := range plan.Lines(&d) {
			if l.To != idbridge.DirectorySide {
				fmt.Fprintln(w, strings.TrimRight(fmt.Sprintf("# %s %s %s %s", l.Sign, l.Verb, clean(l.Name), planWords(&l)), " "))
			}
		}
		if step := d.DirectoryStep(); step != nil {
			text, err := p.directory.LDIF(*step)
			if err != nil {
				return fmt.Errorf("LDIF of %q: %w", d.Name, err)
			}
			fmt.Fprintln(w, text)
		}
	}
	return w.Flush()
}
