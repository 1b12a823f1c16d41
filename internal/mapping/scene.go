package mapping

import (
	"reflect"
	"slices"
	"strings"

	"github.com/expr-lang/expr/builtin"

	"github.com/idbridge/idbridge"
)

// scene is what one evaluation sees: the entry, and what it has spent so far.
type scene struct {
	values  []idbridge.Values
	named   []string
	sources []int

	charged          uint64 // which reads were charged
	read, made, work int
	longest          int // of the texts so far
}

// first is the value that a name stands for: the one in the entry's own name, else the smallest, so that the order in
// which a server sends them does not matter; "" for none.
func (s *scene) first(i int) (any, error) {
	v := s.values[s.sources[i]]
	if err := s.reading(i, v); err != nil || len(v) == 0 {
		return "", err
	}
	if len(v) == 1 {
		return v[0], nil
	}
	return pick(v, s.named[s.sources[i]], idbridge.CaseIgnore), nil
}

// all is every value, sorted.
func (s *scene) all(i int) (any, error) {
	v := s.values[s.sources[i]]
	if err := s.reading(i, v); err != nil {
		return nil, err
	}
	if err := s.make(16 * len(v)); err != nil {
		return nil, err
	}
	out := make([]string, len(v))
	copy(out, v)
	slices.Sort(out)
	return out, nil
}

// reading charges values the first time, and refuses what is no text.
func (s *scene) reading(i int, v idbridge.Values) error {
	if s.charged&(1<<i) != 0 {
		return nil
	}
	s.charged |= 1 << i
	if why := unfit(v, idbridge.CaseIgnore); why != "" {
		return broken("reads a value that " + why)
	}
	for _, one := range v {
		s.read += len(one) + 1
		s.longest = max(s.longest, len(one))
	}
	if s.read > maxRead {
		return broken("reads too much text")
	}
	return nil
}

// make charges text that is about to be made.
func (s *scene) make(bytes int) error {
	s.longest = max(s.longest, bytes)
	if s.made += bytes; bytes > maxMade || s.made > maxMade {
		return broken("makes too much text")
	}
	return nil
}

// turn charges one turn of a loop: each part may look at the longest text there is, and has a price of its own; each list
// may be looked through, at a price that counts the way from element to element.
func (s *scene) turn(parts, lists int) (any, error) {
	const part, element = 1000, 8
	if s.work += parts*(part+s.longest) + lists*element*(s.read+s.made); s.work > maxWork {
		return nil, broken("takes too much work")
	}
	return true, nil
}

func (s *scene) concat(a, b string) (any, error) {
	if err := s.make(len(a) + len(b)); err != nil {
		return nil, err
	}
	return a + b, nil
}

func (s *scene) lower(a string) (any, error) { return s.changed(a, strings.ToLower) }
func (s *scene) upper(a string) (any, error) { return s.changed(a, strings.ToUpper) }

func (s *scene) changed(a string, change func(string) string) (any, error) {
	if err := s.make(len(a) + len(a)/2); err != nil { // a letter may grow by half
		return nil, err
	}
	return change(a), nil
}

func (s *scene) replace(text, old, with string) (any, error) {
	if err := s.make(len(text) + strings.Count(text, old)*len(with)); err != nil {
		return nil, err
	}
	return strings.ReplaceAll(text, old, with), nil
}

func (s *scene) split(text, at string) (any, error) {
	if err := s.make(16 * (strings.Count(text, at) + 1)); err != nil {
		return nil, err
	}
	return strings.Split(text, at), nil
}

func (s *scene) join(list any, between string) (any, error) {
	texts, ok := list.([]string)
	if several, mixed := list.([]any); mixed {
		ok, texts = true, make([]string, len(several))
		for i, one := range several {
			if texts[i], ok = one.(string); !ok {
				break
			}
		}
	}
	if !ok {
		return nil, broken("joins what is no list of texts")
	}
	size := 0
	for _, one := range texts {
		size += len(one) + len(between)
	}
	if err := s.make(size); err != nil {
		return nil, err
	}
	return strings.Join(texts, between), nil
}

// functions are what an expression may call; the first argument is always the scene. The types are checked when the
// expression is compiled, and again here where they could not be known.
func functions() map[string]*builtin.Function {
	out := map[string]*builtin.Function{}
	add := func(name string, shape any, f func(*scene, []any) (any, error)) {
		out[name] = &builtin.Function{
			Name: name, Types: []reflect.Type{reflect.TypeOf(shape)},
			Func: func(args ...any) (any, error) {
				s, ok := args[0].(*scene)
				if !ok {
					return nil, broken("fails")
				}
				return f(s, args[1:])
			},
		}
	}
	number := func(name string, f func(*scene, int) (any, error), shape any) {
		add(name, shape, func(s *scene, args []any) (any, error) { return f(s, args[0].(int)) }) //nolint:forcetypeassert // we wrote the argument
	}
	texts := func(name string, shape any, f func(s *scene, t []string) (any, error)) {
		add(name, shape, func(s *scene, args []any) (any, error) {
			t := make([]string, len(args))
			for i, a := range args {
				var ok bool
				if t[i], ok = a.(string); !ok {
					return nil, broken("uses " + name + " with what is no text")
				}
			}
			return f(s, t)
		})
	}
	number("first", (*scene).first, func(*scene, int) string { return "" })
	number("all", (*scene).all, func(*scene, int) []string { return nil })
	add("turn", func(*scene, int, int) bool { return true }, func(s *scene, args []any) (any, error) {
		return s.turn(args[0].(int), args[1].(int)) //nolint:forcetypeassert // we wrote the arguments
	})
	two, one := func(*scene, string, string) string { return "" }, func(*scene, string) string { return "" }
	texts("+", two, func(s *scene, t []string) (any, error) { return s.concat(t[0], t[1]) })
	texts("lower", one, func(s *scene, t []string) (any, error) { return s.lower(t[0]) })
	texts("upper", one, func(s *scene, t []string) (any, error) { return s.upper(t[0]) })
	texts("trim", one, func(_ *scene, t []string) (any, error) { return strings.TrimSpace(t[0]), nil })
	texts("split", func(*scene, string, string) []string { return nil }, func(s *scene, t []string) (any, error) { return s.split(t[0], t[1]) })
	texts("replace", func(*scene, string, string, string) string { return "" },
		func(s *scene, t []string) (any, error) { return s.replace(t[0], t[1], t[2]) })
	add("join", func(*scene, any, string) string { return "" }, func(s *scene, args []any) (any, error) {
		between, ok := args[1].(string)
		if !ok {
			return nil, broken("joins with what is no text")
		}
		return s.join(args[0], between)
	})
	return out
}
