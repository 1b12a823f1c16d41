package schedule

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/robfig/cron/v3"

	"github.com/idbridge/idbridge"
)

// maxLength is the longest cron text that is read, in bytes.
const maxLength = 256

// The shortest and longest period of @every.
const (
	minEvery = time.Minute
	maxEvery = 366 * 24 * time.Hour
)

// Spec is one cron text in one time zone: five fields (minute hour day month weekday), @hourly, @daily, @weekly, @monthly,
// @yearly, or @every with a duration. The zero Spec never fires.
//
// A spec that names hours follows the clock on the wall: a time that daylight saving skips fires once, right after the
// jump; a time that comes twice fires the first time only. A spec that allows every hour (*/2 * * * *) means an interval
// and follows real time: it neither fires additionally after a jump nor pauses while an hour is repeated. @every fires at
// multiples of its duration since 1970 UTC, so that a restart does not move its slots.
type Spec struct {
	text   string
	times  cron.Schedule // asked in UTC, with the wall clock's digits
	every  time.Duration // @every; times is nil then
	hourly bool          // every hour is allowed
	zone   *time.Location
}

// Parse reads a cron text; a nil zone is UTC. A spec that can never fire, or that hides a mistake the parser would let
// pass, is refused. Error: Invalid, with a hint.
func Parse(text string, zone *time.Location) (Spec, error) {
	if zone == nil {
		zone = time.UTC
	}
	spec := Spec{text: strings.Join(strings.Fields(text), " "), zone: zone}
	switch {
	case len(text) > maxLength:
		return Spec{}, refuse("a cron text has %d characters at most, this one has %d", "", maxLength, len(text))
	case spec.text == "":
		return Spec{}, refuse("the cron text is empty", fiveFields)
	case strings.Contains(spec.text, "TZ="):
		return Spec{}, refuse("a cron text names no time zone", "set the key timezone instead")
	case strings.HasPrefix(spec.text, "@"):
		return spec.named()
	}
	fields, err := splitFields(spec.text)
	if err != nil {
		return Spec{}, err
	}
	if spec.times, err = read(strings.Join(fields, " ")); err != nil {
		return Spec{}, err
	}
	if bits, ok := spec.times.(*cron.SpecSchedule); ok {
		bits.Location = time.UTC
		spec.hourly = bits.Hour&allHours == allHours
	}
	return spec.mustFire()
}

// allHours has the bits of the 24 hours.
const allHours = 1<<24 - 1

// named reads the texts that begin with @.
func (s Spec) named() (Spec, error) {
	name, rest, _ := strings.Cut(s.text, " ")
	switch name {
	case "@every":
		d, err := time.ParseDuration(rest)
		switch {
		case err != nil:
			return Spec{}, refuse("%q is not a duration", "write for example @every 10m or @every 1h30m", rest)
		case d < minEvery:
			return Spec{}, refuse("@every %s is too often", "one minute is the shortest", rest)
		case d > maxEvery:
			return Spec{}, refuse("@every %s is too seldom", "366 days (8784h) are the longest", rest)
		case d%time.Second != 0:
			return Spec{}, refuse("@every %s has fractions of a second", "write whole seconds", rest)
		}
		s.every = d
		return s, nil
	case "@reboot":
		return Spec{}, refuse("@reboot is not a time", "a missed run is made up for at start (missed: run_once)")
	}
	plan, err := read(s.text)
	if err != nil {
		return Spec{}, refuse("%q is not known", "use @hourly, @daily, @weekly, @monthly, @yearly or @every 10m", s.text)
	}
	if bits, ok := plan.(*cron.SpecSchedule); ok {
		bits.Location = time.UTC
		s.hourly = bits.Hour&allHours == allHours
	}
	s.times = plan
	return s.mustFire()
}

// mustFire refuses what never comes, like 31 February. Every date that exists comes within the five years that the parser
// looks ahead from this fixed day.
func (s Spec) mustFire() (Spec, error) {
	if s.Next(time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)).IsZero() {
		return Spec{}, refuse("%q never comes", "no such day exists in these months", s.text)
	}
	return s, nil
}

// read asks the cron parser. It panics on some texts (robfig/cron 470, 554), which is an error like any other here.
func read(text string) (plan cron.Schedule, err error) {
	defer func() {
		if p := recover(); p != nil {
			plan, err = nil, refuse("%q is not a cron text", fiveFields, text)
		}
	}()
	p := cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.Descriptor)
	if plan, err = p.Parse(text); err != nil {
		return nil, &idbridge.Error{Kind: idbridge.Invalid, Msg: fmt.Sprintf("%q is not a cron text", text), Hint: fiveFields, Err: err}
	}
	if plan == nil {
		return nil, errors.New("cron: no schedule")
	}
	return plan, nil
}

const fiveFields = `write five fields in quotes, minute hour day month weekday: "15 3 * * *"`

func refuse(format, hint string, args ...any) error {
	return &idbridge.Error{Kind: idbridge.Invalid, Msg: fmt.Sprintf(format, args...), Hint: hint}
}

// String returns the cron text.
func (s Spec) String() string { return s.text }

// IsZero tells that the spec never fires.
func (s Spec) IsZero() bool { return s.times == nil && s.every == 0 }

// NextN returns the next n slots after t, fewer when there are none.
func (s Spec) NextN(t time.Time, n int) []time.Time {
	var out []time.Time
	for range n {
		if t = s.Next(t); t.IsZero() {
			break
		}
		out = append(out, t)
	}
	return out
}
