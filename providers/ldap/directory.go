package ldap

import (
	"context"
	"errors"
	"log/slog"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/internal/mapping"
)

// Directory is one LDAP directory. It is safe for concurrent use and holds no connection of its own.
type Directory struct {
	cfg Config
	log *slog.Logger
	m   *mapping.Map
	end endpoint
}

var (
	_ idbridge.Directory     = (*Directory)(nil)
	_ idbridge.Authenticator = (*Directory)(nil)
	_ idbridge.Session       = (*Session)(nil)
)

// New makes a directory of settings that Validate finds no fault with; the error joins the faults. A nil log is silent.
func New(cfg Config, log *slog.Logger) (*Directory, error) {
	if err := errors.Join(cfg.Validate()...); err != nil {
		return nil, &idbridge.Error{Kind: idbridge.Invalid, Msg: "the directory's settings are wrong", Err: err}
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	d := &Directory{cfg: cfg.withDefaults(), log: log.With("directory", cfg.Name)}
	var err error
	if d.m, err = mapping.New(d.cfg.Schema, cfg.Map); err != nil {
		return nil, &idbridge.Error{Kind: idbridge.Invalid, Msg: "the directory's mapping is wrong", Err: err}
	}
	if d.end, err = parseURL(cfg.URLs[0]); err != nil {
		return nil, &idbridge.Error{Kind: idbridge.Invalid, Msg: "the directory's URL is wrong", Err: err}
	}
	return d, nil
}

// Name returns the directory's name in the config.
func (d *Directory) Name() string { return d.cfg.Name }

// Scope returns the config hash that the store's links rest on.
func (d *Directory) Scope() string { return d.cfg.Scope() }

// Open connects, signs in, and finds out what the server can do. Errors: Unavailable, Unauthentic (do not retry), Invalid.
func (d *Directory) Open(ctx context.Context) (idbridge.Session, error) {
	s, err := d.open(ctx)
	if err != nil {
		return nil, err
	}
	return s, nil
}
