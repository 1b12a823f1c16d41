package authstore

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/lib/pq"
)

// verb is what a batch does with its rows.
type verb uint8

const (
	insertRows verb = iota // fails when one is there
	addRows                // keeps one that is there
	putRows                // replaces one that is there
	updateRows
	deleteRows
)

// kind is a column's type. There are no others.
type kind uint8

const (
	text kind = iota
	number
	boolean
	octets
)

func (k kind) array() string {
	switch k {
	case number:
		return "bigint[]"
	case boolean:
		return "boolean[]"
	case octets:
		return "bytea[]"
	case text:
	}
	return "text[]"
}

// column is one column of a batch.
type column struct {
	name string
	kind kind
}

// batch is one statement for many rows. SQLite runs it row by row, prepared once (2.3 times faster there than VALUES lists);
// PostgreSQL runs it once, over unnested arrays or by COPY.
type batch struct {
	table string
	verb  verb
	cols  []column // the first keys of them name the row
	keys  int
	rows  []any // row after row
}

// columns reads "id number, name text …" as "id:n name:t": a name, and n, b or o when it is not a text.
func columns(spec string) []column {
	fields := strings.Fields(spec)
	out := make([]column, len(fields))
	for i, f := range fields {
		name, mark, _ := strings.Cut(f, ":")
		out[i].name = name
		switch mark {
		case "n":
			out[i].kind = number
		case "b":
			out[i].kind = boolean
		case "o":
			out[i].kind = octets
		}
	}
	return out
}

// newBatch describes a statement; key and rest are column specs.
func newBatch(v verb, table, key, rest string) *batch {
	keys := columns(key)
	return &batch{table: table, verb: v, cols: append(keys, columns(rest)...), keys: len(keys)}
}

// add appends a row: the key's columns, then the rest.
func (b *batch) add(values ...any) {
	b.rows = append(b.rows, values...)
}

func (b *batch) len() int { return len(b.rows) / len(b.cols) }

// flush writes the rows of the batches, in order, and empties them.
func (t *tx) flush(ctx context.Context, batches ...*batch) error {
	for _, b := range batches {
		if len(b.rows) == 0 {
			continue
		}
		var err error
		switch {
		case !t.s.postgres:
			err = t.rowWise(ctx, b)
		case b.verb == insertRows && b.len() > 1:
			err = t.copyIn(ctx, b)
		default:
			err = t.setWise(ctx, b)
		}
		if err != nil {
			return fmt.Errorf("write %s: %w", b.table, err)
		}
		b.rows = b.rows[:0]
	}
	return nil
}

// rowWise runs a prepared statement for each row. The rows go without the context: the driver starts a goroutine for each
// statement that has one.
func (t *tx) rowWise(ctx context.Context, b *batch) error {
	stmt, err := t.PrepareContext(ctx, b.rowText())
	if err != nil {
		return err
	}
	defer stmt.Close() //nolint:errcheck // nothing is lost
	quiet := context.WithoutCancel(ctx)
	width := len(b.cols)
	for i := 0; i < len(b.rows); i += width {
		if i%(64*width) == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if _, err := stmt.ExecContext(quiet, b.rows[i:i+width]...); err != nil {
			return err
		}
	}
	return nil
}

// copyIn streams the rows; the fastest way into PostgreSQL.
func (t *tx) copyIn(ctx context.Context, b *batch) (err error) {
	stmt, err := t.PrepareContext(ctx, "COPY "+b.table+" ("+b.join(0, name)+") FROM STDIN")
	if err != nil {
		return err
	}
	defer stmt.Close() //nolint:errcheck // the empty Exec below reports what the server says
	quiet := context.WithoutCancel(ctx)
	width := len(b.cols)
	for i := 0; i < len(b.rows); i += width {
		if _, err := stmt.ExecContext(quiet, b.rows[i:i+width]...); err != nil {
			return err
		}
	}
	_, err = stmt.ExecContext(ctx)
	return err
}

// setWise runs one statement over the columns as arrays.
func (t *tx) setWise(ctx context.Context, b *batch) error {
	args := make([]any, len(b.cols))
	for i, c := range b.cols {
		args[i] = b.array(i, c.kind)
	}
	_, err := t.ExecContext(ctx, b.setText(), args...)
	return err
}

// array returns one column of all rows.
func (b *batch) array(col int, k kind) any {
	switch k {
	case number:
		return pq.Array(pick[int64](b, col))
	case boolean:
		return pq.Array(pick[bool](b, col))
	case octets:
		return pq.Array(pick[[]byte](b, col))
	case text:
	}
	return pq.Array(pick[string](b, col))
}

func pick[T any](b *batch, col int) []T {
	out := make([]T, 0, b.len())
	for i := col; i < len(b.rows); i += len(b.cols) {
		one, _ := b.rows[i].(T) // a wrong type is a fault of the program; every batch is covered by a test
		out = append(out, one)
	}
	return out
}

// rowText is the statement for one row, $1 being the first column.
func (b *batch) rowText() string {
	params := b.join(0, func(i int, _ column) string { return "$" + strconv.Itoa(i+1) })
	set := func(i int, c column) string { return c.name + " = $" + strconv.Itoa(i+1) }
	switch b.verb {
	case updateRows:
		return "UPDATE " + b.table + " SET " + b.join(b.keys, set) + " WHERE " + b.joinKeys(set)
	case deleteRows:
		return "DELETE FROM " + b.table + " WHERE " + b.joinKeys(set)
	case insertRows, addRows, putRows:
	}
	return b.into() + " VALUES (" + params + ")" + b.conflict()
}

// setText is the statement for all rows, $1 being the array of the first column.
func (b *batch) setText() string {
	arrays := b.join(0, func(i int, c column) string { return "$" + strconv.Itoa(i+1) + "::" + c.kind.array() })
	names := b.join(0, name)
	from := "unnest(" + arrays + ") AS v (" + names + ")"
	match := b.joinKeys(func(_ int, c column) string { return b.table + "." + c.name + " = v." + c.name })
	switch b.verb {
	case updateRows:
		set := b.join(b.keys, func(_ int, c column) string { return c.name + " = v." + c.name })
		return "UPDATE " + b.table + " SET " + set + " FROM " + from + " WHERE " + match
	case deleteRows:
		return "DELETE FROM " + b.table + " USING " + from + " WHERE " + match
	case insertRows, addRows, putRows:
	}
	return b.into() + " SELECT " + names + " FROM " + from + b.conflict()
}

func (b *batch) into() string {
	return "INSERT INTO " + b.table + " (" + b.join(0, name) + ")"
}

func (b *batch) conflict() string {
	switch b.verb {
	case addRows:
		return " ON CONFLICT DO NOTHING"
	case putRows:
		keys := b.cols[:b.keys]
		names := make([]string, len(keys))
		for i, c := range keys {
			names[i] = c.name
		}
		set := b.join(b.keys, func(_ int, c column) string { return c.name + " = excluded." + c.name })
		return " ON CONFLICT (" + strings.Join(names, ", ") + ") DO UPDATE SET " + set
	case insertRows, updateRows, deleteRows:
	}
	return ""
}

func name(_ int, c column) string { return c.name }

// join writes each column from the given one on, divided by commas.
func (b *batch) join(from int, write func(int, column) string) string {
	parts := make([]string, 0, len(b.cols))
	for i := from; i < len(b.cols); i++ {
		parts = append(parts, write(i, b.cols[i]))
	}
	return strings.Join(parts, ", ")
}

func (b *batch) joinKeys(write func(int, column) string) string {
	parts := make([]string, b.keys)
	for i := range b.keys {
		parts[i] = write(i, b.cols[i])
	}
	return strings.Join(parts, " AND ")
}

// among is a condition that holds for the rows whose column is in a list, given as parameter n by texts or numbers.
func (s *Store) among(col string, n int) string {
	if s.postgres {
		return col + " = ANY($" + strconv.Itoa(n) + ")"
	}
	return col + " IN (SELECT value FROM json_each($" + strconv.Itoa(n) + "))"
}

// texts is a list for among.
func (s *Store) texts(list []string) any {
	if s.postgres {
		return pq.Array(list)
	}
	b := []byte{'['}
	for i, one := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendText(b, one)
	}
	return string(append(b, ']'))
}

// numbers is a list for among.
func numbers[T ~int64](s *Store, list []T) any {
	if s.postgres {
		plain := make([]int64, len(list))
		for i, n := range list {
			plain[i] = int64(n)
		}
		return pq.Array(plain)
	}
	b := []byte{'['}
	for i, n := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, int64(n), 10)
	}
	return string(append(b, ']'))
}

// one reads a single row; found is false when there is none.
func one(row *sql.Row, dest ...any) (found bool, err error) {
	switch err := row.Scan(dest...); {
	case err == nil:
		return true, nil
	case errors.Is(err, sql.ErrNoRows):
		return false, nil
	default:
		return false, err
	}
}

// grow makes room for n more rows.
func (b *batch) grow(n int) { b.rows = slices.Grow(b.rows, n*len(b.cols)) }

// sortedBy orders the rows by a column, so that tables grow at their end and indexes are walked in their order.
func (b *batch) sortedBy(col int) *batch {
	width := len(b.cols)
	at := make([]int, b.len())
	for i := range at {
		at[i] = i * width
	}
	slices.SortFunc(at, func(x, y int) int {
		switch one := b.rows[x+col].(type) {
		case int64:
			other, _ := b.rows[y+col].(int64) // a column has one type
			return cmp.Compare(one, other)
		case string:
			other, _ := b.rows[y+col].(string)
			return strings.Compare(one, other)
		default:
			return 0
		}
	})
	rows := make([]any, 0, len(b.rows))
	for _, i := range at {
		rows = append(rows, b.rows[i:i+width]...)
	}
	b.rows = rows
	return b
}

// without returns the values of x that are not in y.
func without(x, y []string) []string {
	var out []string
	for _, v := range x {
		if !slices.Contains(y, v) {
			out = append(out, v)
		}
	}
	return out
}
