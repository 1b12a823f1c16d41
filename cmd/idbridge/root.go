package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
)

// world is one invocation of the program: its streams, its flags, and, when it runs inside a daemon for a client of the
// control socket, the daemon's house.
type world struct {
	getenv         func(string) string
	stdin          io.Reader
	stdout, stderr io.Writer
	args           []string

	configPath string
	output     string // text or json; csv and ldif of a plan
	verbose    bool
	colour     bool // the reader of stdout has a terminal
	remote     bool // a client of the control socket asked
	house      *house
	ours       bool // house was opened here and is closed here
}

const (
	outputText = "text"
	outputJSON = "json"
	outputCSV  = "csv"
	outputLDIF = "ldif"
)

func (w *world) execute(ctx context.Context) error {
	root := w.root()
	root.SetArgs(append([]string{}, w.args...)) // never nil: cobra would read os.Args
	root.SetIn(w.stdin)
	root.SetOut(w.stdout)
	root.SetErr(w.stderr)
	return root.ExecuteContext(ctx)
}

func (w *world) root() *cobra.Command {
	root := &cobra.Command{
		Use:           "idbridge",
		Short:         "Keeps directories and the auth store equal, both ways",
		Long:          "idbridge keeps the user details of directories and its own store equal in both directions,\nand answers whose key it is and what a user may do.",
		SilenceUsage:  true,
		SilenceErrors: true, // report is the one mouth
		// A flag before the command belongs to the program: `-c old.yaml plan --config new.yaml`.
		TraverseChildren: true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case w.output == outputText || w.output == outputJSON:
			case (w.output == outputCSV || w.output == outputLDIF) && cmd.Name() == "plan":
			case w.output == outputCSV || w.output == outputLDIF:
				return fmt.Errorf("output %q is for `plan`: want text or json", w.output)
			default:
				return fmt.Errorf("output %q: want text or json, of a plan also csv or ldif", w.output)
			}
			return nil
		},
	}
	config := w.getenv("IDBRIDGE_CONFIG")
	if config == "" {
		config = "idbridge.yaml"
	}
	root.PersistentFlags().StringVarP(&w.configPath, "config", "c", config, "config file (or IDBRIDGE_CONFIG)")
	root.PersistentFlags().StringVarP(&w.output, "output", "o", outputText, "text or json; of a plan also csv or ldif")
	root.PersistentFlags().BoolVarP(&w.verbose, "verbose", "v", false, "log what is said to the directory, as ldapsearch lines and LDIF")
	root.AddCommand(
		w.serveCommand(), w.demoCommand(), w.checkCommand(), w.planCommand(), w.syncCommand(), w.approveCommand(), w.discardCommand(),
		w.undoCommand(), w.runsCommand(), w.statusCommand(), w.explainCommand(), w.conflictsCommand(), w.userCommand(), w.keyCommand(),
		w.roleCommand(), w.auditCommand(), w.pruneCommand(), w.restoreCommand(), w.configCommand(), w.versionCommand(),
	)
	return root
}

// does marks the error of a command's own work, so that report can tell it from a complaint about usage.
func does(f func(cmd *cobra.Command, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		err := f(cmd, args)
		var code exit
		var marked failure
		if err == nil || errors.As(err, &code) || errors.As(err, &marked) {
			return err
		}
		return failure{err}
	}
}

// inHouse does a command that needs the store: in the daemon that holds it, or here.
func (w *world) inHouse(f func(ctx context.Context, h *house, args []string) error) func(*cobra.Command, []string) error {
	return does(func(cmd *cobra.Command, args []string) error {
		if err := w.enter(cmd.Context()); err != nil {
			return err
		}
		return f(cmd.Context(), w.house, args)
	})
}

// print shows a result: as JSON with every field, or as text for a person.
func (w *world) print(v any, text func(out io.Writer)) error {
	if w.output == outputJSON {
		enc := json.NewEncoder(w.stdout)
		enc.SetIndent("", "  ")
		enc.SetEscapeHTML(false)
		return enc.Encode(v)
	}
	text(w.stdout)
	return nil
}

// terminal tells whether the reader of stdout sees colours and bars.
func (w *world) terminal() bool {
	if w.colour {
		return true
	}
	file, ok := w.stdout.(*os.File)
	if !ok || w.getenv("NO_COLOR") != "" || w.getenv("TERM") == "dumb" {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// who names the person who gives a command, for the audit.
func (w *world) who() string {
	if name := w.getenv("SUDO_USER"); name != "" {
		return "cli:" + name
	}
	if name := w.getenv("USER"); name != "" {
		return "cli:" + name
	}
	return "cli"
}
