package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/configs"
	"github.com/idbridge/idbridge/providers/ldapsim"
	"github.com/idbridge/idbridge/sync/engine"
)

func (w *world) demoCommand() *cobra.Command {
	var once bool
	cmd := &cobra.Command{
		Use: "demo", Args: cobra.NoArgs,
		Short: "Show the whole bridge on this machine alone: a small company's directory, both ways",
		Long: "Starts an in-memory LDAP directory with a small company in it and a fresh SQLite store, both gone at the end;\n" +
			"imports everybody, edits both sides, synchronizes, and shows what moved each way. Without --once it then serves\n" +
			"the API and prints what to try. It asks no network and installs nothing.",
	}
	cmd.Flags().BoolVar(&once, "once", false, "show it and exit")
	listen := cmd.Flags().String("listen", "127.0.0.1:8080", "where the API listens; port 0 takes a free one")
	cmd.RunE = does(func(cmd *cobra.Command, _ []string) (err error) {
		dir, err := os.MkdirTemp("", "idbridge-demo")
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
		sim, err := ldapsim.Start(ldapsim.Config{LDIF: ldapsim.Company()})
		if err != nil {
			return fmt.Errorf("start the demo's directory: %w", err)
		}
		defer func() { err = errors.Join(err, sim.Close()) }()
		d := &demo{w: w, sim: sim, dir: dir, p: painter{out: w.stdout, colour: w.terminal()}}
		if err := d.open(cmd.Context(), *listen); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, d.h.close()) }()
		if err := d.story(cmd.Context()); err != nil || once {
			return err
		}
		return d.serve(cmd.Context())
	})
	return cmd
}

// demo is the story that the program tells of itself.
type demo struct {
	w   *world
	sim *ldapsim.Server
	dir string
	h   *house
	p   painter
}

// open writes a config as an administrator would, and loads it.
func (d *demo) open(ctx context.Context, listen string) error {
	ca := filepath.Join(d.dir, "ca.pem")
	file := filepath.Join(d.dir, "idbridge.yaml")
	text := strings.NewReplacer("DIR", d.dir, "LDAPS", d.sim.TLSURL(), "LISTEN", listen).Replace(demoConfig)
	if err := errors.Join(os.WriteFile(ca, d.sim.CACertPEM(), 0o600), os.WriteFile(file, []byte(text), 0o600)); err != nil {
		return err
	}
	cfg, err := configs.Load(file, func(string) string { return "" })
	if err != nil {
		return fmt.Errorf("the demo's config: %w", err)
	}
	d.h, err = openHouse(ctx, cfg, d.w.logger(cfg.Log.Level, cfg.Log.Format), d.w.getenv)
	return err
}

const demoConfig = `
store: {url: "sqlite:DIR/idbridge.db"}
http: {listen: "LISTEN"}
log: {level: warn}
attributes:
  phone: {match: telephone}
  title: {}
directories:
  - name: corp
    type: ldap
    urls: ["LDAPS"]
    tls: {ca_file: ca.pem}
    bind: {dn: "cn=idbridge,ou=services,dc=example,dc=org", password: "bridge-demo"}
    base_dn: dc=example,dc=org
    users: {filter: "(objectClass=inetOrgPerson)"}
    groups: {filter: "(objectClass=groupOfNames)"}
    schedule: {full: "*/5 * * * *"}
    map:
      userName: uid
      givenName: givenName
      familyName: sn
      displayName: displayName
      email: mail
      phone: telephoneNumber
      title: title
roles:
  - {role: ADMIN, directory: corp, group: "cn=idbridge-admins,ou=groups,dc=example,dc=org"}
  - {role: API_KEY_GENERATION, directory: corp, group: "cn=key-holders,ou=groups,dc=example,dc=org"}
`

func (d *demo) say(format string, args ...any) { fmt.Fprintf(d.w.stdout, format, args...) }

func (d *demo) heading(n int, text string) {
	d.say("\n%s\n", d.p.paint(colourBold, fmt.Sprintf("%d. %s", n, text)))
}

// story shows a first import, an edit on each side arriving on the other, and a last run with nothing to do. It fails
// when what it says is not so.
func (d *demo) story(ctx context.Context) error {
	r := &d.h.rooms[0]
	d.say("An LDAP directory of a small company listens on %s; the store is a fresh SQLite file.\n", d.sim.TLSURL())
	d.heading(1, "First import")
	first, err := d.sync(ctx, r, 12)
	if err != nil {
		return err
	}
	if first.Run.Counts.Created == 0 {
		return &idbridge.Error{Kind: idbridge.Internal, Msg: "the demo imported nobody"}
	}
	d.heading(2, "An edit on each side, and one person edited on both")
	if err := d.edit(ctx); err != nil {
		return err
	}
	d.heading(3, "The next run: what moved each way")
	if _, err := d.sync(ctx, r, 0); err != nil {
		return err
	}
	if err := d.arrived(ctx); err != nil {
		return err
	}
	d.heading(4, "An administrator leaves the admin group in LDAP")
	if err := d.demote(ctx, r); err != nil {
		return err
	}
	d.heading(5, "One more run, with nothing to do")
	before := len(d.sim.Writes())
	last, err := d.sync(ctx, r, 0)
	if err != nil {
		return err
	}
	if n := len(d.sim.Writes()) - before; n != 0 || last.Run.Counts.Unchanged != last.Run.Counts.Seen {
		return &idbridge.Error{Kind: idbridge.Internal, Msg: fmt.Sprintf("the demo's last run had something to do (%d writes)", n)}
	}
	d.say("%d records unchanged, nothing written on either side.\n", last.Run.Counts.Unchanged)
	return nil
}

func (d *demo) sync(ctx context.Context, r *room, limit int) (engine.Report, error) {
	lines := &painter{out: d.w.stdout, colour: d.p.colour, limit: limit, names: d.h.store}
	report, err := d.w.oneRun(ctx, d.h, r, engine.RunOptions{Kind: idbridge.FullRun, Author: "demo"}, lines)
	if err != nil {
		return report, err
	}
	d.w.writeReport(r, &report, nil, false)
	if report.Run.State != idbridge.RunDone {
		return report, &idbridge.Error{Kind: idbridge.Internal, Msg: "the demo's run ended " + string(report.Run.State)}
	}
	return report, nil
}

// The people of the story, by login and DN.
const (
	demoMoved   = "zangstrom"   // gets a new e-mail in LDAP
	demoEdited  = "lwisniewski" // gets a new phone in the store
	demoBoth    = "hbjornstad"  // gets a title on both sides
	demoAdmin   = "cdaubigne"   // loses the admin group; another one stays
	demoServing = ldapsim.CompanyAdmin
	demoMail    = "zoe.angstrom@example.org"
	demoPhone   = "+48 22 555 01 99"
	demoTitles  = "Head of Shifts / Shift Supervisor"
)

func (d *demo) edit(ctx context.Context) error {
	inStore, inLDAP, _ := strings.Cut(demoTitles, " / ")
	d.say("LDAP:  mail of %s becomes %s\n", demoMoved, demoMail)
	d.say("store: phone of %s becomes %s\n", demoEdited, demoPhone)
	d.say("both:  title of %s becomes %q in the store and %q in LDAP\n", demoBoth, inStore, inLDAP)
	moved, err := d.locator(ctx, demoMoved)
	if err != nil {
		return err
	}
	both, err := d.locator(ctx, demoBoth)
	if err != nil {
		return err
	}
	change := func(attribute, value string) ldapsim.Mod {
		return ldapsim.Mod{Verb: ldapsim.Replace, Attribute: attribute, Values: []string{value}}
	}
	return errors.Join(
		d.sim.Modify(moved, change("mail", demoMail)),
		d.sim.Modify(both, change("title", inLDAP)),
		d.set(ctx, demoEdited, "phone", demoPhone),
		d.set(ctx, demoBoth, "title", inStore),
	)
}

func (d *demo) locator(ctx context.Context, name string) (string, error) {
	user, err := d.h.find(ctx, name)
	if err != nil {
		return "", err
	}
	links, err := d.h.store.Links(ctx, user.ID)
	if err != nil || len(links) == 0 {
		return "", errors.Join(err, fmt.Errorf("%s has %d links", name, len(links)))
	}
	return links[0].Locator, nil
}

func (d *demo) set(ctx context.Context, name string, a idbridge.Attribute, value string) error {
	user, err := d.h.find(ctx, name)
	if err != nil {
		return err
	}
	_, err = d.h.store.EditUser(ctx, idbridge.UserEdit{User: user.ID, Set: idbridge.Profile{a: {value}}, By: name})
	return err
}

// arrived checks that both edits are on both sides, and shows the conflict.
func (d *demo) arrived(ctx context.Context) error {
	moved, err := d.h.find(ctx, demoMoved)
	if err != nil {
		return err
	}
	if got := moved.Profile[idbridge.Email].First(); got != demoMail {
		return fmt.Errorf("the store has %q, not %q", got, demoMail)
	}
	dn, err := d.locator(ctx, demoEdited)
	if err != nil {
		return err
	}
	entry, _ := d.sim.Entry(dn)
	if got := idbridge.Values(entry["telephoneNumber"]).First(); got != demoPhone {
		return fmt.Errorf("LDAP has %q, not %q", got, demoPhone)
	}
	list, err := d.h.store.Conflicts(ctx, idbridge.ConflictFilter{Attribute: "title", Limit: 10})
	if err != nil || len(list) != 1 {
		return errors.Join(err, fmt.Errorf("%d conflicts about title, want one", len(list)))
	}
	d.say("\nThe loser of the conflict is kept:\n")
	writeConflict(d.w.stdout, &list[0])
	return nil
}

// demote takes an administrator out of the group and asks before and after.
func (d *demo) demote(ctx context.Context, r *room) error {
	dn, err := d.locator(ctx, demoAdmin)
	if err != nil {
		return err
	}
	ask := func() (bool, error) {
		access, err := d.h.store.AccessByName(ctx, demoAdmin)
		if err == nil {
			d.say("Is %s an administrator? %t\n", demoAdmin, access.Has(idbridge.Admin, ""))
		}
		return access.Has(idbridge.Admin, ""), err
	}
	if was, err := ask(); err != nil || !was {
		return errors.Join(err, errors.New("the demo's administrator is none"))
	}
	group := ldapsim.CompanyAdminGroup
	if err := d.sim.Modify(group, ldapsim.Mod{Verb: ldapsim.Drop, Attribute: "member", Values: []string{dn}}); err != nil {
		return err
	}
	if _, err := d.sync(ctx, r, 0); err != nil {
		return err
	}
	if is, err := ask(); err != nil || is {
		return errors.Join(err, errors.New("the demo's administrator still is one"))
	}
	return nil
}

// serve goes on as a daemon, with something to try.
func (d *demo) serve(ctx context.Context) error {
	l, err := d.h.listen()
	if err != nil {
		return err
	}
	key, err := d.key(ctx)
	if err != nil {
		l.close()
		return err
	}
	url := "http://" + l.api.Addr().String()
	d.say("\nServing %s until you press Ctrl-C. Try:\n\n", url)
	fill := strings.NewReplacer("URL", url, "$KEY", key, "CONFIG", filepath.Join(d.dir, "idbridge.yaml"))
	for line := range strings.Lines(demoTries) {
		d.say("  %s", fill.Replace(line))
	}
	d.say("\n\nEveryone's password is %q. The directory is %s.\n", ldapsim.CompanyUserPassword, d.sim.URL())
	return d.h.serve(ctx, l)
}

// key makes a key for the administrator who tries things.
func (d *demo) key(ctx context.Context) (string, error) {
	user, err := d.h.find(ctx, demoServing)
	if err != nil {
		return "", err
	}
	text, err := d.w.makeKey(ctx, d.h, &user, 0)
	return text.Native(), err
}

// demoTries are the lines to try against a serving demo.
const demoTries = `curl -H 'X-API-KEY: $KEY' URL/api/v1/whoami
curl -H 'X-API-KEY: $KEY' URL/api/v1/users?limit=3
curl -H 'X-API-KEY: $KEY' -H 'Content-Type: application/json' -d '{"user":"zangstrom","role":"ADMIN"}' URL/api/v1/check
curl -u zangstrom:welcome URL/api/v1/me
curl -u zangstrom:welcome -X PATCH -H 'Content-Type: application/merge-patch+json' -d '{"phone":"+46 8 555 0100"}' URL/api/v1/me
idbridge -c CONFIG status
idbridge -c CONFIG user show zangstrom`
