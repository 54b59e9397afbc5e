package notify

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Mattermost's server splits a post that is longer than 16,383 runes, and the
// split can fall into a fence, whose text is then live; it refuses a request
// beyond 300,000 bytes (both in server/public/model/post.go). Stay well below:
// JSON can swell a byte sixfold.
const (
	maxRunes = 16_000
	maxBytes = 48_000

	maxInline     = 300   // runes of one fact, such as a name
	maxOutput     = 3_000 // runes of output that a message shows
	maxOutputLine = 600   // runes of one line of it
)

// zeroWidth stands after what would otherwise have a meaning.
const zeroWidth = "\u200b"

// Quiet takes the meaning from everything in a text that could ping somebody:
// @name, Slack's <!channel>, and character references, which Mattermost
// resolves before it looks for names.
func Quiet(text string) string { return quieter.Replace(text) }

var quieter = strings.NewReplacer(
	"@", "@"+zeroWidth,
	"<", "<"+zeroWidth,
	"&#", "&"+zeroWidth+"#",
	"&commat", "&"+zeroWidth+"commat",
	"＠", "＠"+zeroWidth, // the full-width form, which a client may fold
)

// Inline is a text as it can stand in a line of a message: on one line, with
// no Markdown of its own, and pinging nobody.
func Inline(text string) string {
	text = strings.Join(strings.Fields(clean(text)), " ")
	return Quiet(escaper.Replace(text))
}

var escaper = strings.NewReplacer(
	`\`, `\\`, "`", "\\`", "*", `\*`, "_", `\_`, "~", `\~`,
	"[", `\[`, "]", `\]`, "|", `\|`, "#", `\#`, "!", `\!`,
)

// validMention is what Mattermost takes for a name or group, or for everybody.
var validMention = regexp.MustCompile(`^@[a-z0-9][a-z0-9._-]{0,63}$`)

// ValidMention reports whether a mention is one: "@" and a name as Mattermost
// has them, such as @oncall or @channel.
func ValidMention(mention string) bool { return validMention.MatchString(mention) }

func mentions(all []string) string {
	var valid []string
	for _, m := range all {
		if ValidMention(m) {
			valid = append(valid, m)
		}
	}
	return strings.Join(valid, " ")
}

// fenced is output as a code block, with a fence that nothing in it closes.
func fenced(lines []string, before int64) string {
	shown, left := make([]string, 0, len(lines)), maxOutput
	for i := len(lines) - 1; i >= 0; i-- {
		line := cutRunes(strings.TrimRight(clean(lines[i]), " \t"), maxOutputLine)
		left -= utf8.RuneCountInString(line) + 1
		if left < 0 && len(shown) > 0 {
			before += int64(i + 1)
			break
		}
		shown = append(shown, line)
	}
	for len(shown) > 0 && shown[0] == "" { // the last lines: shown runs backwards
		shown = shown[1:]
	}
	if len(shown) == 0 {
		return ""
	}
	if before > 0 {
		noun := "lines"
		if before == 1 {
			noun = "line"
		}
		shown = append(shown, fmt.Sprintf("… %d %s before", before, noun))
	}
	var b strings.Builder
	for i := len(shown) - 1; i >= 0; i-- {
		b.WriteString(Quiet(shown[i]))
		b.WriteByte('\n')
	}
	fence := strings.Repeat("`", max(3, longestRun(b.String(), '`')+1))
	return fence + "\n" + b.String() + fence + "\n"
}

func longestRun(text string, of byte) int {
	longest, run := 0, 0
	for i := range len(text) {
		if text[i] != of {
			run = 0
			continue
		}
		run++
		longest = max(longest, run)
	}
	return longest
}

// escapes are what colours a terminal: CSI and OSC sequences.
var escapes = regexp.MustCompile("\x1b(?:\\[[0-?]*[ -/]*[@-~]|\\][^\x07\x1b]*(?:\x07|\x1b\\\\)?|[@-Z\\\\-_])")

// clean leaves of a text what a channel can show: valid UTF-8 without
// terminal sequences and control characters. What a carriage return
// overwrites is dropped, as a terminal would.
func clean(text string) string {
	text = strings.ToValidUTF8(text, "\ufffd")
	if strings.IndexFunc(text, hidden) < 0 {
		return text
	}
	text = strings.ReplaceAll(escapes.ReplaceAllString(text, ""), "\r\n", "\n")
	if strings.Contains(text, "\r") {
		lines := strings.Split(text, "\n")
		for i, line := range lines {
			line = strings.TrimRight(line, "\r")
			lines[i] = line[strings.LastIndexByte(line, '\r')+1:]
		}
		text = strings.Join(lines, "\n")
	}
	return strings.Map(func(r rune) rune {
		if hidden(r) {
			return -1
		}
		return r
	}, text)
}

// hidden are control characters, and those that reorder text or have no
// width, with which a text could pretend to be another.
func hidden(r rune) bool {
	switch {
	case r == '\n' || r == '\t':
		return false
	case unicode.IsControl(r):
		return true
	case r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069:
		return true
	}
	return false
}

// cutRunes cuts a text, visibly, to at most n runes.
func cutRunes(text string, n int) string {
	if len(text) <= n || utf8.RuneCountInString(text) <= n {
		return text
	}
	runes := 0
	for i := range text {
		if runes == n-1 {
			return text[:i] + "…"
		}
		runes++
	}
	return text
}

// cut shortens a whole message to what Mattermost takes, and says so.
func cut(text string) string { return shorten(text, maxRunes, maxBytes, "") }

// Shorten cuts a whole message, visibly, for a receiver that takes less than
// Mattermost: at most n runes, which must be 500 or more. The link to the log stays.
func Shorten(text string, n int) string {
	last := ""
	if i := strings.LastIndexByte(text, '\n'); i >= 0 && strings.HasPrefix(text[i+1:], logLink) {
		last = text[i:]
		if utf8.RuneCountInString(last) > n/2 {
			last = ""
		}
	}
	return shorten(text, n, len(text), last)
}

func shorten(text string, maxRunes, maxBytes int, last string) string {
	if len(text) <= maxBytes && utf8.RuneCountInString(text) <= maxRunes {
		return text
	}
	const margin = 200 // for the remark, and the fence before it
	total, room := utf8.RuneCountInString(text), maxRunes-margin-utf8.RuneCountInString(last)
	end, runes := 0, 0
	for i := range text {
		if runes == room || i > maxBytes-2*margin {
			break
		}
		end = i
		runes++
	}
	text = text[:end]
	remark := fmt.Sprintf("\n\n… cut here: the text had %d characters", total)
	// A fence that the cut left open would swallow the remark.
	if fence := openFence(text); fence != "" {
		remark = "\n" + fence + remark
	}
	return text + remark + last
}

// openFence is the fence that a text opens and does not close, or empty.
func openFence(text string) string {
	open := ""
	for line := range strings.Lines(text) {
		trimmed := strings.TrimLeft(strings.TrimRight(line, "\r\n"), " ")
		n := len(trimmed) - len(strings.TrimLeft(trimmed, "`"))
		switch {
		case n < 3:
		case open == "":
			open = trimmed[:n]
		case n >= len(open) && strings.TrimSpace(trimmed[n:]) == "":
			open = ""
		}
	}
	return open
}
