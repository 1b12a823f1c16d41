package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/idbridge/idbridge"
)

// consent is what a person confirms before a held plan is applied.
type consent struct {
	yes      bool
	removals int // users who lose access or are purged; -1: not said
	admins   int // administrators that the plan hits; -1: not said
}

func (w *world) approveCommand() *cobra.Command {
	c := consent{}
	cmd := &cobra.Command{
		Use: "approve HASH", Short: "Apply a plan that a guard held, once you have confirmed what it takes", Args: cobra.ExactArgs(1),
		Example: "  idbridge approve 8f3a61c0d2be --removals 214\n  idbridge approve 8f3a61c0d2be --yes   # when it removes nobody",
	}
	cmd.Flags().BoolVar(&c.yes, "yes", false, "apply a plan that removes nobody and hits no administrator")
	cmd.Flags().IntVar(&c.removals, "removals", -1, "how many people the plan removes, as it says itself")
	cmd.Flags().IntVar(&c.admins, "admins", -1, "how many administrators it hits, as it says itself")
	cmd.RunE = w.inHouse(func(ctx context.Context, h *house, args []string) error {
		p, err := h.store.Plan(ctx, args[0])
		if err != nil {
			return fmt.Errorf("plan %q: %w", args[0], err)
		}
		if !c.agrees(&p) {
			if err := w.showPlan(ctx, h, p.Hash); err != nil {
				return err
			}
			if !w.ask(&c, &p) {
				return needs(&p)
			}
		}
		return w.applyPlan(ctx, h, p.Hash)
	})
	return cmd
}

// agrees tells whether a person confirmed what the plan takes.
func (c *consent) agrees(p *idbridge.Plan) bool {
	fits := func(said, is int) bool { return said == is || said < 0 && is == 0 }
	return (c.yes || c.removals >= 0 || c.admins >= 0) && fits(c.removals, p.Removals()) && fits(c.admins, len(p.AdminsHit()))
}

// ask lets a person at a terminal type the numbers.
func (w *world) ask(c *consent, p *idbridge.Plan) bool {
	if !w.terminal() || w.output != outputText || w.stdin == nil {
		return false
	}
	lines := bufio.NewScanner(io.LimitReader(w.stdin, 1<<10))
	number := func(question string, want int) int {
		if want == 0 {
			return 0
		}
		fmt.Fprintf(w.stdout, "%s Type how many: ", question)
		if !lines.Scan() {
			return -1
		}
		n, err := strconv.Atoi(strings.TrimSpace(lines.Text()))
		if err != nil {
			return -1
		}
		return n
	}
	admins := p.AdminsHit()
	c.yes = true
	c.removals = number("This removes people.", p.Removals())
	c.admins = number("It hits the administrators "+strings.Join(admins, ", ")+".", len(admins))
	if p.Removals()+len(admins) == 0 {
		fmt.Fprint(w.stdout, "Apply it? Type yes: ")
		c.yes = lines.Scan() && strings.TrimSpace(lines.Text()) == "yes"
	}
	return c.agrees(p)
}

// needs is the error for a plan that was not confirmed.
func needs(p *idbridge.Plan) error {
	removals, admins := p.Removals(), p.AdminsHit()
	how := "--yes"
	if removals > 0 {
		how = fmt.Sprintf("--removals %d", removals)
	}
	if len(admins) > 0 {
		how += fmt.Sprintf(" --admins %d", len(admins))
	}
	return &idbridge.Error{
		Kind: idbridge.Invalid, Msg: fmt.Sprintf("plan %s was not confirmed: nothing done", short(p.Hash)),
		Hint: fmt.Sprintf("idbridge approve %s %s", short(p.Hash), how),
	}
}
