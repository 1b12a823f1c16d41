package engine

import (
	"strings"

	"github.com/idbridge/idbridge"
)

// maxPlaces bounds how many places of records without an id are remembered. Where there are more, the right to read ids
// was lost, and nothing follows from absence.
const maxPlaces = 10_000

// unnamed notes a record that is there and shows no id of its own.
func (o *observer) unnamed(c *idbridge.Unusable) {
	o.seen++
	o.namelessN++
	if len(o.nameless) < maxNameless {
		o.nameless = append(o.nameless, *c)
	}
	if c.Locator == "" || len(o.places) >= maxPlaces {
		return
	}
	if o.places == nil {
		o.places = map[string]string{}
	}
	why := "the record shows no id of its own any more"
	if c.Why != nil {
		why += ": " + c.Why.Error()
	}
	o.places[strings.ToLower(c.Locator)] = why
}

func (o *observer) tooManyUnnamed() bool { return o.namelessN > maxPlaces }

// recognise finds the links that seem to be absent while a record without an id is where theirs was last seen: it is
// there and cannot be used, so the last good state is kept. Nothing is ever matched by its place, only kept. Such a record
// is counted with its link.
func (o *observer) recognise(batch []shown, subjects []idbridge.Subject) {
	if len(o.places) == 0 {
		return
	}
	for i := range batch {
		seen, link := &batch[i].observed, subjects[i].Link
		if seen.Absent == nil || link == nil {
			continue
		}
		place := strings.ToLower(link.Locator)
		if why, there := o.places[place]; there {
			delete(o.places, place)
			o.namelessN--
			seen.Absent, seen.Unusable = nil, why
		}
	}
}
