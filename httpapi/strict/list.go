package strict

// Elements shows every element of one JSON array in order, as it is written and without reflection. An error of visit ends
// it and is returned. Errors: *Fault.
func Elements(data []byte, visit func(value []byte) error) error {
	s := scanner{data: data}
	if s.peek() != '[' {
		return s.fault("an array was expected")
	}
	s.pos++
	if s.peek() == ']' {
		s.pos++
		return s.end()
	}
	for {
		s.space()
		from := s.pos
		if err := s.value(1); err != nil {
			return err
		}
		if err := visit(s.data[from:s.pos]); err != nil {
			return err
		}
		switch s.peek() {
		case ',':
			s.pos++
		case ']':
			s.pos++
			return s.end()
		default:
			return s.fault("a comma or the end of the array was expected")
		}
	}
}
