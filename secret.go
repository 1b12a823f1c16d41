package idbridge

import (
	"fmt"
	"io"
	"log/slog"
)

// Secret holds a text that must not be seen: it prints as *** under every verb, in logs, JSON, YAML and errors. The
// zero Secret is empty. The text stands behind a pointer, so that fmt cannot reach it in an unexported field either.
type Secret struct{ text *string }

// NewSecret hides a text.
func NewSecret(text string) Secret { return Secret{&text} }

// Reveal returns the text. Call it where the text leaves for its purpose, and nowhere else.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// IsEmpty tells whether there is no text.
func (s Secret) IsEmpty() bool { return s.Reveal() == "" }

const masked = "***"

// Format prints *** whatever the verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, masked) }

// String prints ***.
func (s Secret) String() string { return masked }

// GoString prints ***.
func (s Secret) GoString() string { return masked }

// LogValue prints ***.
func (s Secret) LogValue() slog.Value { return slog.StringValue(masked) }

// MarshalText prints ***.
func (s Secret) MarshalText() ([]byte, error) { return []byte(masked), nil }

// UnmarshalText hides what it reads.
func (s *Secret) UnmarshalText(b []byte) error {
	*s = NewSecret(string(b))
	return nil
}
