package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/idbridge/idbridge/configs"
	"github.com/idbridge/idbridge/providers/ldap"
)

// shownFinding is one line of `check`.
type shownFinding struct {
	Directory string     `json:"directory"`
	Name      string     `json:"name"`
	Level     ldap.Level `json:"level"`
	Text      string     `json:"text"`
	Fix       string     `json:"fix,omitempty"`
}

// nextRuns is how many coming runs `check` prints.
const nextRuns = 5

func (w *world) checkCommand() *cobra.Command {
	return &cobra.Command{
		Use: "check [DIRECTORY …]", Short: "Look at everything a run needs, and change nothing",
		RunE: does(func(cmd *cobra.Command, args []string) error {
			cfg, err := w.load()
			if err != nil {
				return err
			}
			for _, name := range args {
				if _, ok := cfg.Directory(name); !ok {
					return invalid(fmt.Sprintf("there is no directory %q", name), "see the config's directories")
				}
			}
			code := exitDone
			all := []shownFinding{{Name: "config", Level: ldap.OK, Text: fmt.Sprintf("%s: no fault, %d directories", cfg.File, len(cfg.Directories))}}
			for i := range cfg.Directories {
				d := &cfg.Directories[i]
				if len(args) > 0 && !slices.Contains(args, d.Name) {
					continue
				}
				found, err := w.checkDirectory(cmd.Context(), d, cfg.Zone)
				if err != nil {
					return err
				}
				all = append(all, found...)
			}
			for _, f := range all {
				if f.Level == ldap.Fail {
					code = exitUnreachable
				}
			}
			if err := w.print(all, func(out io.Writer) { w.writeFindings(out, all) }); err != nil {
				return err
			}
			if code != exitDone {
				return code
			}
			return nil
		}),
	}
}

func (w *world) checkDirectory(ctx context.Context, d *configs.Directory, zone *time.Location) ([]shownFinding, error) {
	directory, err := ldap.New(d.LDAP, w.logger(slog.LevelWarn, "text"))
	if err != nil {
		return nil, fmt.Errorf("directory %q: %w", d.Name, err)
	}
	var out []shownFinding
	for _, f := range directory.Check(ctx) {
		out = append(out, shownFinding{d.Name, f.Name, f.Level, f.Text, f.Fix})
	}
	now := time.Now().In(zone)
	for _, s := range []struct {
		kind string
		next []time.Time
	}{{"full", d.Timing.Full.NextN(now, nextRuns)}, {"changes", d.Timing.Changes.NextN(now, nextRuns)}} {
		for _, at := range s.next {
			out = append(out, shownFinding{d.Name, "next " + s.kind, ldap.OK, at.Format("Mon 2006-01-02 15:04 MST") + "  (" + at.UTC().Format("15:04 UTC") + ")", ""})
		}
	}
	return out, nil
}

func (w *world) writeFindings(out io.Writer, all []shownFinding) {
	p := &painter{out: out, colour: w.terminal()}
	code := map[ldap.Level]string{ldap.OK: colourGreen, ldap.Warn: colourYellow, ldap.Fail: colourRed}
	for _, f := range all {
		fmt.Fprintf(out, "%s %-10s %-14s %s\n", p.paint(code[f.Level], fmt.Sprintf("%-4s", f.Level)), f.Directory, f.Name, clean(f.Text))
		if f.Fix != "" {
			fmt.Fprintf(out, "     → %s\n", f.Fix)
		}
	}
}
