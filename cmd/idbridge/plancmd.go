package main

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/spf13/cobra"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/configs"
	"github.com/idbridge/idbridge/providers/ldap"
	"github.com/idbridge/idbridge/sync/engine"
)

// planWatcher is shown what a run is about to do, before its first effect.
type planWatcher interface {
	Planned(header idbridge.Plan, decisions iter.Seq2[idbridge.Decision, error]) error
}

func (w *world) planCommand() *cobra.Command {
	var user, newConfig string
	cmd := &cobra.Command{
		Use:   "plan [DIRECTORY …]",
		Short: "Show what a run would do, and change nothing",
		Example: "  idbridge plan\n  idbridge plan corp -o ldif\n  idbridge plan --user jdoe\n" +
			"  idbridge -c idbridge.yaml plan --config new.yaml   # what the change of config would do to people",
	}
	cmd.Flags().StringVar(&user, "user", "", "only this user's records")
	cmd.Flags().StringVar(&newConfig, "config", "", "another config file: show what it would do that the one in force does not")
	cmd.Flags().StringVarP(&w.configPath, "in-force", "c", w.configPath, "config file in force, as before the command")
	cmd.MarkFlagsMutuallyExclusive("user", "config")
	cmd.RunE = w.inHouse(func(ctx context.Context, h *house, args []string) error {
		o := engine.RunOptions{Kind: idbridge.PlanRun, Author: w.who(), DryRun: true}
		switch {
		case newConfig != "":
			return w.planConfig(ctx, h, newConfig, args)
		case user != "":
			return w.planUser(ctx, h, user, args, o)
		}
		return w.eachRoom(ctx, h, args, o)
	})
	return cmd
}

// watcher returns what shows a plan's decisions in the wanted output; nil for JSON, which comes with the report.
func (w *world) watcher(h *house, r *room) planWatcher {
	switch w.output {
	case outputCSV:
		return &csvPlan{out: w.stdout, directory: r.name, names: h.store}
	case outputLDIF:
		return &ldifPlan{out: w.stdout, directory: r.ldap}
	case outputJSON:
		return nil
	}
	return &painter{out: w.stdout, colour: w.terminal(), limit: 200, names: h.store}
}

// planUser plans a user's records alone.
func (w *world) planUser(ctx context.Context, h *house, word string, names []string, o engine.RunOptions) error {
	user, err := h.find(ctx, word)
	if err != nil {
		return err
	}
	links, err := h.store.Links(ctx, user.ID)
	if err != nil {
		return fmt.Errorf("links of %q: %w", word, err)
	}
	byRoom := map[string][]idbridge.ExternalID{}
	for i := range links {
		byRoom[links[i].ID.Directory] = append(byRoom[links[i].ID.Directory], links[i].ID)
	}
	if len(names) == 0 {
		for i := range h.rooms {
			if len(byRoom[h.rooms[i].name]) > 0 {
				names = append(names, h.rooms[i].name)
			}
		}
	}
	if len(names) == 0 {
		return invalid(fmt.Sprintf("%q is linked to no directory", word), "a run never touches such a user; see `idbridge explain "+word+"`")
	}
	code := exitDone
	for _, name := range names {
		o.Only = byRoom[name]
		if len(o.Only) == 0 {
			return invalid(fmt.Sprintf("%q is not linked to %q", word, name), "see `idbridge user show "+word+"`")
		}
		var end exit
		if err := w.eachRoom(ctx, h, []string{name}, o); errors.As(err, &end) {
			code = worse(code, end)
		} else if err != nil {
			return err
		}
	}
	if code == exitDone {
		return nil
	}
	return code
}

// planConfig shows what another config would do to people that the one in force would not: both are planned against the
// same directories, nothing is stored but the two runs' rows, and what both would do is left out.
func (w *world) planConfig(ctx context.Context, h *house, file string, names []string) error {
	changed, err := configs.Load(file, w.getenv)
	if err != nil {
		return err
	}
	if changed.Store.URL != h.cfg.Store.URL {
		return invalid("the new config names another store", "a plan compares two configs of one store; `idbridge -c "+file+" plan` plans with the other one")
	}
	code := exitDone
	for i := range changed.Directories {
		d := &changed.Directories[i]
		if len(names) > 0 && !contains(names, d.Name) {
			continue
		}
		end, err := w.planDirectory(ctx, h, d)
		if err != nil {
			return err
		}
		code = worse(code, end)
	}
	for i := range h.rooms {
		if _, kept := changed.Directory(h.rooms[i].name); !kept {
			fmt.Fprintf(w.stdout, "directory %s: not in the new config. Its users keep what they have and are not looked at any more.\n", h.rooms[i].name)
		}
	}
	if code == exitDone {
		return nil
	}
	return code
}

func contains(list []string, name string) bool {
	for _, x := range list {
		if x == name {
			return true
		}
	}
	return false
}

// planDirectory compares two configs of one directory.
func (w *world) planDirectory(ctx context.Context, h *house, d *configs.Directory) (exit, error) {
	before := effects{}
	if old, err := h.room(d.Name); err == nil {
		o := engine.RunOptions{Kind: idbridge.PlanRun, Author: w.who(), DryRun: true, Watch: before}
		target := old.target
		target.Mode = engine.Observe
		if _, err := h.observe(ctx, old, target, o); err != nil {
			return exitDone, fmt.Errorf("plan %q with the config in force: %w", d.Name, err)
		}
	} else {
		fmt.Fprintf(w.stdout, "directory %s is new.\n", d.Name)
	}
	directory, err := ldap.New(d.LDAP, h.log)
	if err != nil {
		return exitDone, fmt.Errorf("directory %q: %w", d.Name, err)
	}
	changed := room{
		name: d.Name, ldap: directory, gate: make(chan struct{}, 1),
		target: engine.Target{Directory: directory, Policy: d.Policy, Mode: engine.Observe},
	}
	more := &difference{before: before, show: w.watcher(h, &changed)}
	if more.show == nil {
		more.show = &jsonPlan{w: w}
	}
	report, err := h.observe(ctx, &changed, changed.target, engine.RunOptions{Kind: idbridge.PlanRun, Author: w.who(), DryRun: true, Watch: more})
	if err != nil {
		return exitDone, fmt.Errorf("plan %q with the new config: %w", d.Name, err)
	}
	if w.output == outputText {
		p := &painter{out: w.stdout, colour: w.terminal()}
		p.verdicts(report.Plan.Verdicts)
		fmt.Fprintf(w.stdout, "directory %s: the new config would do %d things that the one in force does not. Nothing was kept.\n",
			p.paint(colourBold, d.Name), more.count)
	}
	switch {
	case report.Plan.Held():
		return exitHeld, nil
	case more.count > 0:
		return exitPending, nil
	}
	return exitDone, nil
}

// observe does a dry run of a directory with a target of its own; nothing is stored but the run's row.
func (h *house) observe(ctx context.Context, r *room, t engine.Target, o engine.RunOptions) (report engine.Report, err error) {
	err = h.work(ctx, r, func(ctx context.Context, epoch int64) error {
		o.Epoch = epoch
		report, err = h.engine.Run(ctx, t, o)
		return err
	})
	return report, err
}
