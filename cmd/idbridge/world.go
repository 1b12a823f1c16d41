package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/configs"
	"github.com/idbridge/idbridge/sync/engine"
)

// load reads the config file.
func (w *world) load() (*configs.Config, error) {
	return configs.Load(w.configPath, w.getenv)
}

// enter makes the house available to a command: the daemon's, when a client of the control socket asked; otherwise
// the daemon that holds the store is asked to do the whole command; otherwise the house is opened here.
func (w *world) enter(ctx context.Context) error {
	if w.house != nil {
		return nil
	}
	cfg, err := w.load()
	if err != nil {
		return err
	}
	if path := socketPath(cfg.Store.URL); path != "" {
		if conn, err := dialSocket(ctx, path); err == nil {
			return w.forward(ctx, conn)
		}
	}
	h, err := openHouse(ctx, cfg, w.logger(slog.LevelWarn, "text"), w.getenv)
	if err != nil {
		if idbridge.KindOf(err) == idbridge.Locked {
			return fmt.Errorf("another process holds the store, and its control socket does not answer: %w", err)
		}
		return err
	}
	w.house, w.ours = h, true
	return nil
}

// close ends what this invocation opened.
func (w *world) close() {
	if !w.ours {
		return
	}
	if err := w.house.close(); err != nil {
		fmt.Fprintln(w.stderr, "idbridge: close:", err)
	}
}

// logger writes to stderr; -v shows everything.
func (w *world) logger(level slog.Level, format string) *slog.Logger {
	if w.verbose {
		level = slog.LevelDebug
	}
	return newLogger(w.stderr, level, format)
}

func newLogger(out io.Writer, level slog.Level, format string) *slog.Logger {
	options := &slog.HandlerOptions{Level: level, ReplaceAttr: changeLevel}
	if format == "json" {
		return slog.New(slog.NewJSONHandler(out, options))
	}
	return slog.New(slog.NewTextHandler(out, options))
}

// changeLevel gives the level of effects its name.
func changeLevel(groups []string, a slog.Attr) slog.Attr {
	if len(groups) == 0 && a.Key == slog.LevelKey {
		if level, ok := a.Value.Any().(slog.Level); ok && level == engine.LevelChange {
			a.Value = slog.StringValue("CHANGE")
		}
	}
	return a
}

// holder names this opening of the store in the lease: two in one process are two.
func holder() string {
	host, err := os.Hostname()
	if err != nil {
		host = "localhost"
	}
	return fmt.Sprintf("%s:%d:%s", strings.ToLower(host), os.Getpid(), rand.Text()[:6])
}
