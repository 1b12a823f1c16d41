package configs

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// parseLimit reads 100 or 5%. A number alone has no share; a percentage alone keeps the number of the default as its
// floor, since 5 % of 20 people is one.
func (v *value) parseLimit() (hint, msg string) {
	const help = "write a number, a percentage like 5%, or both as [100, 5%]"
	digits, percent := strings.CutSuffix(v.text, "%")
	digits = strings.TrimSpace(digits)
	if !percent {
		n, err := strconv.ParseInt(digits, 10, 32)
		if err != nil || n < 0 || strings.Trim(digits, "0123456789") != "" {
			return help, fmt.Sprintf("%q is not a limit", v.text)
		}
		v.num = n
		return "", ""
	}
	p, err := strconv.ParseFloat(digits, 64)
	if err != nil || strings.Trim(digits, "0123456789.") != "" {
		return help, fmt.Sprintf("%q is not a limit", v.text)
	}
	if p < 0 || p > 100 {
		return "between 0% and 100%", v.text + " is out of range"
	}
	v.share = p / 100
	if floor, _, ok := strings.Cut(strings.TrimPrefix(v.key.def, "["), ","); ok && v.num == 0 {
		v.num, _ = strconv.ParseInt(floor, 10, 32) // the table's own text, held by a test
	}
	return "", ""
}

// readLimits reads [100, 5%], in either order.
func (f *faults) readLimits(v *value, seq *ast.SequenceNode) {
	var floor, share *value
	for _, n := range seq.Values {
		if _, nested := n.(*ast.SequenceNode); nested {
			v.bad = true
			f.add(start(n), v.path, "write [100, 5%]", "a list in a list")
			continue
		}
		one := f.read(v.key, n, value{path: v.path})
		if one.bad {
			v.bad = true
			continue
		}
		into := &floor
		if strings.HasSuffix(one.text, "%") {
			into = &share
		}
		if *into != nil {
			v.bad = true
			f.add(one.at, v.path, "write [number, percentage]", "names two of one kind")
		}
		*into = one
	}
	if v.bad {
		return
	}
	if floor == nil || share == nil {
		v.bad = true
		f.add(v.at, v.path, "write [100, 5%]", "a list names one number and one percentage")
		return
	}
	v.num, v.share = floor.num, share.share
	v.text = fmt.Sprintf("[%s, %s]", floor.text, share.text)
}
