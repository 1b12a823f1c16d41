package ldap

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/go-ldap/ldap/v3"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/internal/failpoint"
)

// maxTries is how often a write is tried when the entry moves under it in ways that do not touch our attributes.
const maxTries = 3

// held is one entry as the server holds it, before a write.
type held struct {
	record  idbridge.Record
	values  map[string]idbridge.Values // by source, as stored
	classes []string
	partly  bool // it may have more classes
}

// Apply makes one directory step: read by id, compare, one modify with the values as stored, and what the server holds
// then. It is safe for concurrent use; several are in flight on one connection.
func (s *Session) Apply(ctx context.Context, step idbridge.Step) (idbridge.Record, error) {
	rec, err := s.apply(ctx, step)
	if err != nil {
		return idbridge.Record{}, fmt.Errorf("apply to %s: %w", step.ID, err)
	}
	return rec, nil
}

func (s *Session) apply(ctx context.Context, step idbridge.Step) (idbridge.Record, error) {
	if err := takes(step); err != nil {
		return idbridge.Record{}, err
	}
	var last error
	for range maxTries {
		h, err := s.held(ctx, step.ID)
		if err != nil {
			return idbridge.Record{}, err
		}
		todo, err := s.d.compare(h, step)
		if err != nil {
			return idbridge.Record{}, err
		}
		if len(todo) == 0 {
			return h.record, nil
		}
		if errors.Is(last, errRuled) { // our part did not move, so the server means the value itself
			return idbridge.Record{}, last
		}
		mods, err := s.d.modifications(s.server.schema, h, todo)
		if err != nil {
			return idbridge.Record{}, err
		}
		rec, err := s.write(ctx, h, mods)
		if !errors.Is(err, errMoved) {
			return rec, err
		}
		last = err
	}
	return idbridge.Record{}, &idbridge.Error{
		Kind: idbridge.Conflicting, Msg: "the record moves all the time", Err: last, Hint: "somebody else writes this entry again and again; the next run tries again",
	}
}

// takes refuses what is no step for a directory.
func takes(step idbridge.Step) error {
	if step.Side == idbridge.DirectorySide && step.Verb == idbridge.Update && len(step.After) > 0 {
		return nil
	}
	return &idbridge.Error{
		Kind: idbridge.Refused, Msg: fmt.Sprintf("a directory takes updates of attributes only, not %q", step.Verb), Err: errors.ErrUnsupported,
	}
}

// held reads an entry by its id.
func (s *Session) held(ctx context.Context, id idbridge.ExternalID) (*held, error) {
	r := s.d.reader(s.server.version)
	var found []*held
	var fault error
	err := s.byID(ctx, []idbridge.ExternalID{id}, r.asked("objectClass"), func(e *entry) error {
		h := &held{values: map[string]idbridge.Values{}}
		h.record, fault = r.record(e)
		for i, name := range s.d.m.Sources() {
			h.values[name] = r.values[i]
		}
		p := e.plain()
		h.classes = p.of("objectClass")
		found = append(found, h)
		return nil
	})
	switch {
	case err != nil:
		return nil, err
	case len(found) == 0:
		return nil, &idbridge.Error{Kind: idbridge.NotFound, Msg: "the record is not in the directory any more, or out of its scope"}
	case len(found) > 1:
		return nil, &idbridge.Error{Kind: idbridge.Internal, Msg: "several records of the directory have one id"}
	case fault != nil:
		return nil, &idbridge.Error{Kind: idbridge.Refused, Msg: "the record cannot be used as it is", Err: fault}
	}
	return found[0], nil
}

// compare returns the part of After that the entry does not show yet. Error: Conflicting when it shows neither Before
// nor After.
func (d *Directory) compare(h *held, step idbridge.Step) (idbridge.Profile, error) {
	todo := idbridge.Profile{}
	for _, a := range step.After.Attributes() {
		if _, mapped := d.m.From(a); !mapped {
			return nil, refuse("%s is not mapped to an attribute of this directory", a)
		}
		now := h.record.Profile[a]
		switch {
		case d.cfg.Schema.Equal(a, now, step.After[a]):
		case d.cfg.Schema.Equal(a, now, step.Before[a]):
			todo[a] = step.After[a]
		default:
			return nil, &idbridge.Error{Kind: idbridge.Conflicting, Msg: fmt.Sprintf("%s was changed in the directory meanwhile", a)}
		}
	}
	return todo, nil
}

func refuse(format string, args ...any) error {
	return &idbridge.Error{Kind: idbridge.Refused, Msg: fmt.Sprintf(format, args...)}
}

// write sends one modify and returns the record afterwards. errMoved: nothing was done, look again.
func (s *Session) write(ctx context.Context, h *held, mods []modification) (idbridge.Record, error) {
	c, err := s.live(ctx)
	if err != nil {
		return idbridge.Record{}, err
	}
	r := s.d.reader(s.server.version)
	req := modifyOf(h.record.Locator, mods)
	guard, err := s.guard(h, mods)
	if err != nil {
		return idbridge.Record{}, err
	}
	req.Controls = guard
	if s.server.has(oidPostRead) {
		known := slices.DeleteFunc(r.asked(), func(a string) bool { return !s.server.schema.known(a) }) // one that it does not know fails the write
		req.Controls = append(req.Controls, postRead(known))
	}
	s.d.logModify(ctx, req)
	if err := failpoint.Hit("ldap.modify.before"); err != nil {
		return idbridge.Record{}, &idbridge.Error{Kind: idbridge.Unavailable, Msg: "nothing was sent to the directory", Err: err}
	}
	var res *ldap.ModifyResult
	err = c.call(ctx, func() error {
		var err error
		res, err = c.ldap.ModifyWithResult(req)
		return err //nolint:wrapcheck // classified below
	})
	if hit := failpoint.Hit("ldap.modify.after"); hit != nil {
		return idbridge.Record{}, &idbridge.Error{Kind: idbridge.Unknown, Msg: "the directory's answer was lost", Err: hit}
	}
	if err != nil {
		return idbridge.Record{}, writeFault(err)
	}
	var e entry
	if postEntry(res.Controls, &e) {
		if rec, err := r.record(&e); err == nil {
			return rec, nil
		}
	}
	return s.readBack(ctx, h.record.ID)
}

// readBack reads the record after a write that the server said yes to.
func (s *Session) readBack(ctx context.Context, id idbridge.ExternalID) (idbridge.Record, error) {
	h, err := s.held(ctx, id)
	if err != nil {
		return idbridge.Record{}, &idbridge.Error{Kind: idbridge.Unknown, Msg: "written, and not seen afterwards", Err: err}
	}
	return h.record, nil
}

// guard returns the control that makes the server refuse the write when the entry moved since it was read. Where the
// server has none, the old values in the request are the guard.
func (s *Session) guard(h *held, mods []modification) ([]ldap.Control, error) {
	if !s.server.has(oidAssertion) {
		return nil, nil
	}
	filter := ""
	if s.server.version == "entryCSN" && h.record.Version != "" {
		filter = "(entryCSN=" + ldap.EscapeFilter(h.record.Version) + ")"
	}
	for _, m := range mods {
		if len(m.removed) == 0 && len(h.values[m.source]) == 0 { // nothing to delete that would show a rival's value
			filter += "(!(" + m.source + "=*))"
		}
	}
	if filter == "" {
		return nil, nil
	}
	c, err := assertion("(&" + filter + ")")
	if err != nil {
		return nil, &idbridge.Error{Kind: idbridge.Internal, Err: err}
	}
	return []ldap.Control{c}, nil
}
