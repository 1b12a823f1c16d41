package schedule

import (
	"fmt"
	"strconv"
	"strings"
)

// field is one of the five places of a cron text. The parser accepts too much (steps beyond the range, "*-5", an empty
// list) and too little (7 for Sunday), so each field is checked and rewritten before the parser sees it.
type field struct {
	name     string
	min, max int
	names    []string // of the values from min on
}

func fields() [5]field {
	return [5]field{
		{name: "minute", min: 0, max: 59},
		{name: "hour", min: 0, max: 23},
		{name: "day", min: 1, max: 31},
		{name: "month", min: 1, max: 12, names: []string{
			"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
		}},
		{name: "weekday", min: 0, max: 7, names: []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}},
	}
}

// splitFields returns the five fields of a text in the parser's spelling.
func splitFields(text string) ([]string, error) {
	parts := strings.Fields(text)
	if len(parts) == 6 {
		return nil, refuse("%q has six fields", "seconds are not supported; "+fiveFields, text)
	}
	if len(parts) != 5 {
		return nil, refuse("%q has %d of five fields", fiveFields, text, len(parts))
	}
	for i, f := range fields() {
		checked, err := f.rewrite(parts[i])
		if err != nil {
			return nil, err
		}
		parts[i] = checked
	}
	return parts, nil
}

// rewrite checks a comma-separated list of elements.
func (f field) rewrite(text string) (string, error) {
	elements := strings.Split(text, ",")
	for i, e := range elements {
		checked, err := f.element(e)
		if err != nil {
			return "", err
		}
		elements[i] = checked
	}
	return strings.Join(elements, ","), nil
}

// element checks *, a, a-b, each with an optional /step.
func (f field) element(text string) (string, error) {
	span, stepText, stepped := strings.Cut(text, "/")
	low, high := f.min, f.max
	if f.max == 7 {
		high = 6 // * is the seven days, Sunday once
	}
	star := span == "*" || span == "?"
	if !star {
		from, to, ranged := strings.Cut(span, "-")
		var err error
		if low, err = f.value(from, text); err != nil {
			return "", err
		}
		switch {
		case ranged:
			if high, err = f.value(to, text); err != nil {
				return "", err
			}
		case !stepped:
			high = low
		}
		if low > high {
			return "", refuse("%s %q begins after its end", "write two ranges, joined by a comma", f.name, text)
		}
	}
	step := 1
	if stepped {
		var err error
		if step, err = number(stepText); err != nil || step < 1 {
			return "", refuse("%s %q: the step must be a number from 1", "", f.name, text)
		}
		if step > 1 && step > high-low {
			return "", refuse("%s %q: a step of %d never comes in a range of %d", "name the one value instead", f.name, text, step, high-low+1)
		}
	}
	if f.max == 7 && !star && high == 7 {
		return sundays(low, high, step), nil
	}
	return text, nil
}

// sundays lists the days of a range that ends in 7, which the parser does not know.
func sundays(low, high, step int) string {
	var out []string
	for d := low; d <= high; d += step {
		out = append(out, strconv.Itoa(d%7))
	}
	return strings.Join(out, ",")
}

// value reads one number or name.
func (f field) value(text, whole string) (int, error) {
	for i, name := range f.names {
		if strings.EqualFold(name, text) {
			return f.min + i, nil
		}
	}
	n, err := number(text)
	if err != nil {
		return 0, refuse("%s %q is not understood", "write a number, a range like 1-5, a list like 1,15 or a step like */5", f.name, whole)
	}
	if n < f.min || n > f.max {
		return 0, refuse("%s %d is out of range", fmt.Sprintf("it goes from %d to %d", f.min, f.max), f.name, n)
	}
	return n, nil
}

// number reads up to four digits and nothing else: no sign, no underscore.
func number(text string) (int, error) {
	if text == "" || len(text) > 4 || strings.Trim(text, "0123456789") != "" {
		return 0, strconv.ErrSyntax
	}
	return strconv.Atoi(text)
}
