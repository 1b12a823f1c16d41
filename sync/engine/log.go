package engine

import (
	"context"
	"log/slog"
	"strings"

	"github.com/idbridge/idbridge"
)

// LevelChange is the level at which effects are logged, one line each: between Info and Warn.
const LevelChange = slog.Level(2)

// logEffects logs what a commit did to the store. Values are personal, so only the names of attributes are told. A first
// import is one effect: its own summary says how many users it made.
func (r *pass) logEffects(ctx context.Context, d *idbridge.Decision, user idbridge.UserID) {
	log := r.e.log()
	if len(d.Steps) == 0 || r.source.Runs == 0 || !log.Enabled(ctx, LevelChange) {
		return
	}
	for i := range d.Steps {
		s := &d.Steps[i]
		if s.Side == idbridge.DirectorySide || s.Verb == idbridge.Miss {
			continue
		}
		who := s.User
		if who == 0 && s.Group.ID == "" {
			who = user
		}
		log.LogAttrs(ctx, LevelChange, "change", r.about(s, who, d.Name)...)
	}
}

// logWrites logs what the directory took, and what it did not.
func (r *pass) logWrites(ctx context.Context, flights []flight) {
	log := r.e.log()
	for i := range flights {
		f := &flights[i]
		name := ""
		if f.decided != nil {
			name = f.decided.Name
		}
		attrs := r.about(f.step, f.step.User, name)
		if how := ending(f.err); how != endSettled && how != endMoved {
			log.LogAttrs(ctx, slog.LevelWarn, "write not settled", append(attrs, slog.String("error", reason(f.err)))...)
		} else if how == endSettled {
			log.LogAttrs(ctx, LevelChange, "write", append(attrs, slog.String("author", f.step.Author))...)
		}
	}
}

func (r *pass) about(s *idbridge.Step, user idbridge.UserID, name string) []slog.Attr {
	attrs := []slog.Attr{
		slog.String("verb", string(s.Verb)), slog.String("directory", r.name), slog.Int64("run", int64(r.row.ID)), slog.String("record", s.ID.ID),
		slog.Int64("user", int64(user)), slog.String("name", name),
	}
	if len(s.After) > 0 && s.Verb == idbridge.Update {
		var names []string
		for _, a := range s.After.Attributes() {
			names = append(names, string(a))
		}
		attrs = append(attrs, slog.String("attributes", strings.Join(names, " ")))
	}
	if s.Group.ID != "" {
		attrs = append(attrs, slog.String("group", s.Group.ID))
	}
	return attrs
}
