package main

import (
	"fmt"
	"io"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/idbridge/idbridge/configs"
)

// version is set at link time.
var version = "dev" // the linker can set nothing else

func (w *world) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Args: cobra.NoArgs,
		RunE: does(func(*cobra.Command, []string) error {
			built := ""
			if info, ok := debug.ReadBuildInfo(); ok {
				built = info.GoVersion
			}
			return w.print(map[string]string{"version": version, "go": built}, func(out io.Writer) {
				fmt.Fprintf(out, "idbridge %s (%s)\n", version, built)
			})
		}),
	}
}

func (w *world) configCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "config", Short: "The config file: example, schema, faults, what is in force"}
	cmd.AddCommand(
		&cobra.Command{
			Use: "example", Short: "Print a config with every key explained", Args: cobra.NoArgs,
			RunE: does(func(*cobra.Command, []string) error {
				_, err := io.WriteString(w.stdout, configs.Example())
				return err
			}),
		},
		&cobra.Command{
			Use: "schema", Short: "Print the JSON Schema of the config, for editors", Args: cobra.NoArgs,
			RunE: does(func(*cobra.Command, []string) error {
				schema, err := configs.Schema()
				if err != nil {
					return err
				}
				_, err = w.stdout.Write(append(schema, '\n'))
				return err
			}),
		},
		&cobra.Command{
			Use: "check", Short: "Name every fault of the config, with line and column; asks no network", Args: cobra.NoArgs,
			RunE: does(func(*cobra.Command, []string) error {
				cfg, err := w.load()
				if err != nil {
					return err
				}
				return w.print(map[string]any{"file": cfg.File, "faults": 0}, func(out io.Writer) {
					fmt.Fprintf(out, "%s: no fault, %d directories\n", cfg.File, len(cfg.Directories))
				})
			}),
		},
		&cobra.Command{
			Use: "show", Short: "Print the config in force and where each value came from; secrets masked", Args: cobra.NoArgs,
			RunE: does(func(*cobra.Command, []string) error {
				cfg, err := w.load()
				if err != nil {
					return err
				}
				_, err = io.WriteString(w.stdout, configs.Show(cfg))
				return err
			}),
		},
	)
	return cmd
}
