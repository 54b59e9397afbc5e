// Package markup turns what scripts and messages hold into HTML that is safe
// to show: a terminal's line with its colours, and the Markdown that
// Mattermost draws.
//
// It is pure, and it trusts nothing: whatever goes in, what comes out is
// balanced, escaped, without a style or script of its own, and cannot reorder
// or hide what stands around it.
package markup

import (
	"html/template"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A style is what a terminal has been told by SGR sequences.
type style struct {
	colour                          int // 1 to 16; 0: the default
	bold, dim, italic, line, struck bool
}

// classes are the CSS classes of the style; empty for the default.
func (s style) classes() string {
	var c []string
	if s.colour > 0 {
		c = append(c, "c"+strconv.Itoa(s.colour-1))
	}
	for _, f := range []struct {
		on   bool
		name string
	}{{s.bold, "bold"}, {s.dim, "dim"}, {s.italic, "ital"}, {s.line, "line"}, {s.struck, "struck"}} {
		if f.on {
			c = append(c, f.name)
		}
	}
	return strings.Join(c, " ")
}

// Terminal draws one line of output as a terminal would: the sixteen colours
// and the plain attributes become spans with classes (c0 to c15, bold, dim,
// ital, line, struck), all other escape sequences vanish, and of text that a
// carriage return overwrites only the last remains. Other control characters
// and those that turn the direction of text are shown as symbols.
func Terminal(text string) template.HTML {
	text = overwritten(text)
	if !needsWork(text) {
		return template.HTML(template.HTMLEscapeString(text))
	}
	var b strings.Builder
	b.Grow(len(text) + len(text)/4)
	var s style
	open := false
	begin := 0
	flush := func(to int) {
		if begin >= to {
			return
		}
		if c := s.classes(); c != "" && !open {
			b.WriteString(`<span class="` + c + `">`)
			open = true
		}
		template.HTMLEscape(&b, []byte(text[begin:to]))
	}
	for i := 0; i < len(text); {
		c, size := utf8.DecodeRuneInString(text[i:])
		if c == 0x1b || c == 0x9b {
			flush(i)
			n, sgr, isSGR := escape(text[i:])
			if isSGR {
				if open {
					b.WriteString("</span>")
					open = false
				}
				s.apply(sgr)
			}
			i += n
			begin = i
			continue
		}
		if shown := symbol(c, size); shown != "" {
			flush(i)
			b.WriteString(`<span class="ctl">` + shown + `</span>`)
			begin = i + size
		}
		i += size
	}
	flush(len(text))
	if open {
		b.WriteString("</span>")
	}
	return template.HTML(b.String())
}

// overwritten is what remains to be seen of a line with carriage returns.
func overwritten(text string) string {
	if strings.IndexByte(text, '\r') < 0 {
		return text
	}
	parts := strings.Split(text, "\r")
	for i := len(parts) - 1; i >= 0; i-- {
		if parts[i] != "" {
			return parts[i]
		}
	}
	return ""
}

func needsWork(text string) bool {
	for i, c := range text {
		if c == 0x1b || symbol(c, 1) != "" {
			return true
		}
		if c == utf8.RuneError {
			if _, size := utf8.DecodeRuneInString(text[i:]); size == 1 {
				return true
			}
		}
	}
	return false
}

// symbol is what stands for a character that must not take effect; empty for all others.
func symbol(c rune, size int) string {
	switch {
	case c == '\t':
		return ""
	case c < 0x20:
		return string(0x2400 + c)
	case c == 0x7f:
		return "␡"
	case c >= 0x80 && c < 0xa0, c >= 0x202a && c <= 0x202e, c >= 0x2066 && c <= 0x2069, c == 0x2028, c == 0x2029:
		// C1 controls, and what Unicode has to turn the direction of text.
		return "⟨" + strings.ToUpper(strconv.FormatInt(int64(c), 16)) + "⟩"
	case c == utf8.RuneError && size == 1:
		return "�"
	}
	return ""
}

// escape measures the escape sequence at the beginning of text. sgr are its
// parameters when it is one that selects a style.
func escape(text string) (n int, sgr string, isSGR bool) {
	rest, n := text[1:], 1
	if text[0] != 0x1b { // U+009B, which is ESC [ in one character
		rest, n = text[2:], 2
	} else {
		switch {
		case rest == "":
			return n, "", false
		case rest[0] == '[':
			rest, n = rest[1:], 2
		case rest[0] == ']', rest[0] == 'P', rest[0] == 'X', rest[0] == '^', rest[0] == '_':
			// A string: up to BEL or ESC \. One that does not end takes the whole line with it.
			for i := 1; i < len(rest); i++ {
				if rest[i] == 0x07 {
					return n + i + 1, "", false
				}
				if rest[i] == 0x1b && i+1 < len(rest) && rest[i+1] == '\\' {
					return n + i + 2, "", false
				}
			}
			return len(text), "", false
		default:
			i := 0
			for i < len(rest) && rest[i] >= 0x20 && rest[i] <= 0x2f {
				i++
			}
			if i < len(rest) && rest[i] >= 0x30 && rest[i] <= 0x7e {
				i++
			}
			return n + i, "", false
		}
	}
	i := 0
	for i < len(rest) && rest[i] >= 0x30 && rest[i] <= 0x3f {
		i++
	}
	params := rest[:i]
	for i < len(rest) && rest[i] >= 0x20 && rest[i] <= 0x2f {
		i++
	}
	if i < len(rest) && rest[i] >= 0x40 && rest[i] <= 0x7e {
		return n + i + 1, params, rest[i] == 'm' && i == len(params)
	}
	return n + i, "", false
}

// apply carries out one SGR sequence.
func (s *style) apply(params string) {
	codes := strings.FieldsFunc(params, func(c rune) bool { return c == ';' || c == ':' })
	if len(codes) == 0 {
		*s = style{}
		return
	}
	for i := 0; i < len(codes); i++ {
		n, err := strconv.Atoi(codes[i])
		if err != nil {
			return
		}
		switch {
		case n == 0:
			*s = style{}
		case n == 1:
			s.bold = true
		case n == 2:
			s.dim = true
		case n == 3:
			s.italic = true
		case n == 4:
			s.line = true
		case n == 9:
			s.struck = true
		case n == 22:
			s.bold, s.dim = false, false
		case n == 23:
			s.italic = false
		case n == 24:
			s.line = false
		case n == 29:
			s.struck = false
		case n >= 30 && n <= 37:
			s.colour = n - 30 + 1
		case n >= 90 && n <= 97:
			s.colour = n - 90 + 9
		case n == 39:
			s.colour = 0
		case n == 38 || n == 48:
			// 256 colours or RGB: the first sixteen are ours, the rest stays plain.
			palette := 0
			if i+2 < len(codes) && codes[i+1] == "5" {
				if c, err := strconv.Atoi(codes[i+2]); err == nil && c < 16 && c >= 0 {
					palette = c + 1
				}
				i += 2
			} else {
				i += 4
			}
			if n == 38 {
				s.colour = palette
			}
		}
	}
}
