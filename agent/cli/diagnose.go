package cli

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/apimeld/agent/schema"
)

// A style is how text is marked on a terminal. The zero value marks nothing.
type style struct{ color bool }

func (s style) paint(code, text string) string {
	if !s.color || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

func (s style) bold(text string) string   { return s.paint("1", text) }
func (s style) red(text string) string    { return s.paint("1;31", text) }
func (s style) yellow(text string) string { return s.paint("1;33", text) }
func (s style) green(text string) string  { return s.paint("32", text) }
func (s style) faint(text string) string  { return s.paint("2", text) }

// style is the one for standard output. NO_COLOR is honoured, see no-color.org.
func (c Command) style(color string) (style, error) {
	switch color {
	case "always":
		return style{true}, nil
	case "never":
		return style{}, nil
	case "auto", "":
		return style{c.getenv("NO_COLOR") == "" && c.getenv("TERM") != "dumb" && isTerminal(c.Stdout)}, nil
	}
	return style{}, usage(fmt.Errorf("read --color %q: it must be auto, always or never", color))
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// writeProblems prints each problem with its line, a caret below the place,
// and the way out.
func writeProblems(out io.Writer, s style, problems []schema.Problem) error {
	w := bufio.NewWriter(out)
	bad, warnings := 0, 0
	for _, p := range problems {
		place := p.File
		if p.Line > 0 {
			place = fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
		}
		kind := s.red("error:")
		if p.Severity == schema.Warning {
			kind = s.yellow("warning:")
			warnings++
		} else {
			bad++
		}
		fmt.Fprintf(w, "%s %s %s %s\n", s.bold(place+":"), kind, visible(p.Message), s.faint("["+p.Rule+"]"))
		if p.Source != "" {
			number := fmt.Sprint(p.Line)
			text := visible(strings.ReplaceAll(p.Source, "\t", "    "))
			fmt.Fprintf(w, "%s %s\n", s.faint(number+" |"), text)
			fmt.Fprintf(w, "%s %s%s\n", s.faint(strings.Repeat(" ", len(number))+" |"), strings.Repeat(" ", indent(p)), s.green("^"))
		}
		if p.Hint != "" {
			fmt.Fprintf(w, "  %s\n", visible(p.Hint))
		}
	}
	switch {
	case bad > 0 && warnings > 0:
		fmt.Fprintf(w, "%s, %s\n", count(bad, "error"), count(warnings, "warning"))
	case bad > 0:
		fmt.Fprintf(w, "%s\n", count(bad, "error"))
	case warnings > 0:
		fmt.Fprintf(w, "%s\n", count(warnings, "warning"))
	}
	return w.Flush()
}

// indent is how many cells stand before the caret.
func indent(p schema.Problem) int {
	cells, column := 0, 1
	for _, r := range p.Source {
		if column >= p.Column {
			break
		}
		column++
		switch {
		case r == '\t':
			cells += 4
		case wide(r):
			cells += 2
		case unicode.Is(unicode.Mn, r):
		default:
			cells++
		}
	}
	return cells
}

// wide reports whether a terminal gives a character two cells: the blocks of
// East Asian scripts and of emoji, near enough for a caret.
func wide(r rune) bool {
	return r >= 0x1100 && r <= 0x115f || r >= 0x2e80 && r <= 0xa4cf || r >= 0xac00 && r <= 0xd7a3 ||
		r >= 0xf900 && r <= 0xfaff || r >= 0xfe30 && r <= 0xfe6f || r >= 0xff00 && r <= 0xff60 || r >= 0x1f300 && r <= 0x1faff
}

// visible takes the power from what a file could send to a terminal.
func visible(text string) string {
	if utf8.ValidString(text) && !strings.ContainsFunc(text, unprintable) {
		return text
	}
	return strings.Map(func(r rune) rune {
		if unprintable(r) {
			return '\ufffd'
		}
		return r
	}, strings.ToValidUTF8(text, "\ufffd"))
}

func unprintable(r rune) bool {
	return unicode.IsControl(r) || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069
}
