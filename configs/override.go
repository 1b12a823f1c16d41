package configs

import (
	"time"

	"github.com/idbridge/idbridge"
)

// maxOverride is how far ahead an exception may end: one that lasts is a limit, and belongs in the guard's own row.
const maxOverride = 90 * 24 * time.Hour

// overrides reads the exceptions of one directory's guards. One that is over stays in the list: status tells of it.
func (b *builder) overrides(v *value) []idbridge.Override {
	var out []idbridge.Override
	seen := map[string]bool{}
	for _, x := range v.list() {
		if x.bad {
			continue
		}
		o := idbridge.Override{
			Guard: x.str("guard"), Limit: int(x.number("limit")), Until: x.moment(b.cfg.Zone, "until"), By: x.str("by"), Why: x.str("why"),
		}
		if o.Until.After(b.now.Add(maxOverride)) {
			b.add(x.where("until"), join(x.path, "until"), "an exception ends; to stay, write the limit into the guard's own row", "is more than 90 days ahead")
		}
		if seen[o.Guard] && o.Guard != "" {
			b.add(x.where("guard"), join(x.path, "guard"), "keep the one that counts", "guard %s has an exception already", o.Guard)
		}
		seen[o.Guard] = true
		out = append(out, o)
	}
	return out
}
