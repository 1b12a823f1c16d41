package configs

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Excerpts are masked by the text of the file alone, so that it works before and without parsing it: what follows a key
// that sounds like a secret is hidden, to the end of the line and on every line that may continue its value.

const masked = "***"

// secretKey finds a word that sounds like a secret, or is one of the others, wherever it stands: hiding too much of an
// excerpt does no harm. A word that ends in _file names a file and is shown.
func secretKey(others []string) *regexp.Regexp {
	words := "pass|pasw|psw|pwd|secret|token|credential"
	for _, o := range others {
		words += "|" + regexp.QuoteMeta(o)
	}
	return regexp.MustCompile(`(?i)[\w-]*(?:` + words + `)[\w-]*["']?\s*:?`)
}

// likeSecret tells whether a key may be a mistyped name of a secret.
func likeSecret(name string) bool {
	return len(name) <= 16 && nearest(name, []string{"password", "passwort", "secret", "passwd"}) != ""
}

// userinfo finds a password in a URL, up to the last @ of the word.
func userinfo() *regexp.Regexp { return regexp.MustCompile(`(://[^\s:/@]*:)\S*@`) }

// maskLines returns the lines of a file as they may be shown.
func maskLines(source string, others ...string) []string {
	lines := strings.Split(source, "\n")
	keys, urls := secretKey(others), userinfo()
	inside, due, depth := false, false, 0 // due: the value begins on a line to come, however it is indented
	var quote byte                        // of a quoted value that is still open
	for i, line := range lines {
		line = urls.ReplaceAllString(line, "${1}"+masked+"@")
		lines[i] = line
		indent := len(line) - len(strings.TrimLeft(line, " \t"))
		if inside {
			blank := strings.TrimSpace(line) == ""
			if quote == 0 && !due && !blank && indent <= depth && line[indent] != ':' && !closesFlow(line[indent]) {
				inside = false
			} else {
				if quote != 0 && strings.IndexByte(line, quote) >= 0 {
					quote = 0
				}
				if !blank {
					lines[i] = line[:indent] + masked
					due = false
				}
				continue
			}
		}
		for _, at := range keys.FindAllStringIndex(line, -1) {
			if name := strings.ToLower(strings.TrimRight(line[at[0]:at[1]], ":\"' \t")); strings.HasSuffix(name, "_file") {
				continue
			}
			if line[indent] != '#' {
				inside, depth, quote = true, indent, openQuote(line[at[1]:])
				value := strings.TrimLeft(line[at[1]:], " \t\"':")
				due = value == "" || strings.IndexByte("|>#&!", value[0]) >= 0
			}
			lines[i] = line[:at[1]] + " " + masked
			break
		}
	}
	return lines
}

func closesFlow(c byte) bool { return c == '"' || c == '\'' }

// openQuote returns the quote that a value opens and does not close on its line, 0 for none.
func openQuote(value string) byte {
	value = strings.TrimSpace(value)
	if value == "" || value[0] != '"' && value[0] != '\'' || strings.IndexByte(value[1:], value[0]) >= 0 {
		return 0
	}
	return value[0]
}

const (
	maxQuoted  = 300 // characters of a message
	maxExcerpt = 160 // characters of a line
)

// clean makes a message safe to print: one line, masked, without control characters, not endless.
func clean(s string) string {
	if s == "" {
		return ""
	}
	if strings.ContainsAny(s, "\n\r") {
		s = strings.Join(maskLines(strings.ReplaceAll(s, "\r", "\n")), " ")
	}
	s = userinfo().ReplaceAllString(printable(s), "${1}"+masked+"@")
	if utf8.RuneCountInString(s) > maxQuoted {
		s = string([]rune(s)[:maxQuoted]) + "…"
	}
	return s
}

// excerpt cuts a masked line around a column, keeping columns right: only the end is cut.
func excerpt(line string, column int) string {
	line = printable(line)
	if runes := []rune(line); len(runes) > maxExcerpt {
		if column > maxExcerpt {
			return "" // the caret would stand nowhere
		}
		line = string(runes[:maxExcerpt]) + "…"
	}
	return line
}

// printable replaces every character that a terminal would act upon, one for one.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\t' {
			return ' '
		}
		if !unicode.IsPrint(r) {
			return '·'
		}
		return r
	}, s)
}
