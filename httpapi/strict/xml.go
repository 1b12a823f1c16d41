package strict

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"unicode/utf8"
)

const (
	maxXML       = 64 << 10
	maxXMLDepth  = 16
	maxXMLTokens = 10_000
)

// Element is one element of an XML text that was read strictly: a name without a namespace, and either text or children.
type Element struct {
	Name     string
	Text     string // of an element without children, as it is written
	Children []Element
}

// XML reads one XML text whose root has the given name. encoding/xml alone accepts a DOCTYPE, any root, any namespace and
// whatever follows the end; all of it is refused here, and so are processing instructions but the declaration, text that is
// not UTF-8, comments inside a value, text between elements, a depth over 16, more than 10,000 tokens and more than 64 KiB.
// Attributes mean nothing and are not kept. Error: *Fault, which never quotes the text.
func XML(data []byte, root string) (*Element, error) {
	if len(data) > maxXML {
		return nil, &Fault{maxXML, "the text is too long"}
	}
	if !utf8.Valid(data) {
		return nil, &Fault{0, "invalid UTF-8"}
	}
	r := xmlReader{d: xml.NewDecoder(bytes.NewReader(bytes.TrimPrefix(data, []byte("\ufeff"))))}
	start, err := r.prolog()
	if err != nil {
		return nil, err
	}
	if start.Name.Local != root {
		return nil, r.fault("another root element was expected")
	}
	e, err := r.element(start, 1)
	if err != nil {
		return nil, err
	}
	return &e, r.epilog()
}

// Child returns the only child with that name, nil when there is none. Error: *Fault when it comes twice.
func (e *Element) Child(name string) (*Element, error) {
	var found *Element
	for i := range e.Children {
		if e.Children[i].Name != name {
			continue
		}
		if found != nil {
			return nil, &Fault{0, "an element comes twice"}
		}
		found = &e.Children[i]
	}
	return found, nil
}

// xmlReader walks the tokens of one text and counts them.
type xmlReader struct {
	d      *xml.Decoder
	tokens int
}

func (r *xmlReader) fault(why string) error { return &Fault{int(r.d.InputOffset()), why} }

// next returns the next token; io.EOF at a proper end. What no part of a text may hold is refused here.
func (r *xmlReader) next() (xml.Token, error) {
	if r.tokens++; r.tokens > maxXMLTokens {
		return nil, r.fault("too many elements")
	}
	t, err := r.d.Token()
	switch {
	case errors.Is(err, io.EOF):
		return nil, io.EOF
	case err != nil: // its text quotes the input
		return nil, r.fault("the XML is broken")
	}
	switch t := t.(type) {
	case xml.Directive:
		return nil, r.fault("a DOCTYPE or another directive")
	case xml.ProcInst:
		if r.tokens != 1 || t.Target != "xml" {
			return nil, r.fault("a processing instruction")
		}
	case xml.StartElement:
		if t.Name.Space != "" {
			return nil, r.fault("a namespace")
		}
		for _, a := range t.Attr {
			if a.Name.Space != "" || a.Name.Local == "xmlns" {
				return nil, r.fault("a namespace")
			}
		}
	}
	return t, nil
}

// prolog reads up to the root's start tag.
func (r *xmlReader) prolog() (xml.StartElement, error) {
	for {
		t, err := r.next()
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = r.fault("the text ends too early")
			}
			return xml.StartElement{}, err
		}
		switch t := t.(type) {
		case xml.StartElement:
			return t, nil
		case xml.CharData:
			if !blank(t) {
				return xml.StartElement{}, r.fault("text outside of the root element")
			}
		}
	}
}

// element reads to the end tag of start, which encoding/xml holds against it.
func (r *xmlReader) element(start xml.StartElement, depth int) (Element, error) {
	e := Element{Name: start.Name.Local}
	if depth > maxXMLDepth {
		return e, r.fault("nested too deep")
	}
	var text strings.Builder
	comment := false
	for {
		t, err := r.next()
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = r.fault("the text ends too early")
			}
			return e, err
		}
		switch t := t.(type) {
		case xml.StartElement:
			child, err := r.element(t, depth+1)
			if err != nil {
				return e, err
			}
			e.Children = append(e.Children, child)
		case xml.CharData:
			text.Write(t)
		case xml.Comment:
			comment = true
		case xml.EndElement:
			return e, r.close(&e, text.String(), comment)
		}
	}
}

// close decides what an element was: a value, or a place for others.
func (r *xmlReader) close(e *Element, text string, comment bool) error {
	if len(e.Children) == 0 {
		if comment && !blank([]byte(text)) {
			return r.fault("a comment in a value")
		}
		e.Text = text
		return nil
	}
	if !blank([]byte(text)) {
		return r.fault("text between elements")
	}
	return nil
}

// epilog lets nothing but blanks follow the root.
func (r *xmlReader) epilog() error {
	for {
		t, err := r.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if text, ok := t.(xml.CharData); !ok || !blank(text) {
			return r.fault("data after the end")
		}
	}
}

func blank(text []byte) bool { return len(bytes.Trim(text, " \t\r\n")) == 0 }
