package authstore

import (
	"strconv"
	"strings"
)

// where collects the conditions of a filter. A question mark in a condition becomes the number of its argument.
type where struct {
	text string
	args []any
}

func (w *where) and(condition string, arg any) {
	w.args = append(w.args, arg)
	w.raw(strings.ReplaceAll(condition, "?", "$"+strconv.Itoa(len(w.args))))
}

func (w *where) raw(condition string) {
	if w.text == "" {
		w.text = " WHERE " + condition
	} else {
		w.text += " AND " + condition
	}
}

// limit returns the order and the limit that end the query, and all arguments.
func (w *where) limit(order string, n int) (string, []any) {
	w.args = append(w.args, n)
	return w.text + " ORDER BY " + order + " LIMIT $" + strconv.Itoa(len(w.args)), w.args
}
