package markup

import (
	"html/template"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxNesting bounds quotes in quotes and emphasis in emphasis.
const maxNesting = 8

// Markdown draws a message as Mattermost would, of what notices use:
// paragraphs with their line breaks, headings, lists, quotes, rules, fenced
// code, bold, italic, struck and code spans, links, mentions (class mention)
// and the commonest emoji names. Everything else stands there as it was
// written. Links lead to http, https and mailto only; pictures are links.
func Markdown(text string) template.HTML {
	var b strings.Builder
	text = strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\r", "\n")
	blocks(&b, strings.Split(text, "\n"), 0)
	return template.HTML(b.String())
}

func blocks(b *strings.Builder, lines []string, depth int) {
	var paragraph []string
	end := func() {
		if len(paragraph) > 0 {
			b.WriteString("<p>")
			inline(b, strings.Join(paragraph, "\n"))
			b.WriteString("</p>")
			paragraph = nil
		}
	}
	for i := 0; i < len(lines); i++ {
		line := lines[i]
		trimmed := strings.TrimSpace(line)
		if trimmed == "" {
			end()
			continue
		}
		if fence := fenceOf(trimmed); fence != "" {
			end()
			i = code(b, lines, i, fence)
			continue
		}
		if level, rest := heading(trimmed); level > 0 {
			end()
			// A message's headings stand below those of the page.
			tag := "h" + string(rune('0'+min(level+2, 5)))
			b.WriteString("<" + tag + ">")
			inline(b, rest)
			b.WriteString("</" + tag + ">")
			continue
		}
		if rule(trimmed) {
			end()
			b.WriteString("<hr>")
			continue
		}
		if trimmed[0] == '>' && depth < maxNesting {
			end()
			var quoted []string
			for ; i < len(lines) && strings.HasPrefix(strings.TrimSpace(lines[i]), ">"); i++ {
				quoted = append(quoted, strings.TrimPrefix(strings.TrimSpace(lines[i])[1:], " "))
			}
			i--
			b.WriteString("<blockquote>")
			blocks(b, quoted, depth+1)
			b.WriteString("</blockquote>")
			continue
		}
		if ordered, _, ok := item(trimmed); ok {
			end()
			i = list(b, lines, i, ordered)
			continue
		}
		paragraph = append(paragraph, line)
	}
	end()
}

// fenceOf is the run of backticks or tildes that opens a code block.
func fenceOf(line string) string {
	c := line[0]
	if c != '`' && c != '~' {
		return ""
	}
	n := len(line) - len(strings.TrimLeft(line, string(c)))
	if n < 3 || c == '`' && strings.Contains(line[n:], "`") {
		return ""
	}
	return line[:n]
}

// code writes the code block whose fence is line i, and returns its last line.
func code(b *strings.Builder, lines []string, i int, fence string) int {
	b.WriteString("<pre><code>")
	first := true
	for i++; i < len(lines); i++ {
		closing := strings.TrimSpace(lines[i])
		if strings.HasPrefix(closing, fence) && strings.Trim(closing, fence[:1]) == "" {
			break
		}
		if !first {
			b.WriteByte('\n')
		}
		first = false
		plain(b, lines[i])
	}
	b.WriteString("</code></pre>")
	return i
}

func heading(line string) (level int, rest string) {
	n := len(line) - len(strings.TrimLeft(line, "#"))
	if n == 0 || n > 6 || n == len(line) || line[n] != ' ' {
		return 0, ""
	}
	return n, strings.TrimSpace(strings.TrimRight(line[n:], "#"))
}

func rule(line string) bool {
	squeezed := strings.ReplaceAll(line, " ", "")
	return len(squeezed) >= 3 && strings.ContainsRune("-*_", rune(squeezed[0])) && strings.Trim(squeezed, squeezed[:1]) == ""
}

// item reports whether a line is one of a list, and what it says.
func item(line string) (ordered bool, rest string, ok bool) {
	if len(line) > 1 && strings.ContainsRune("-*+", rune(line[0])) && line[1] == ' ' {
		return false, line[2:], true
	}
	digits := len(line) - len(strings.TrimLeft(line, "0123456789"))
	if digits > 0 && digits < 10 && len(line) > digits+1 && (line[digits] == '.' || line[digits] == ')') && line[digits+1] == ' ' {
		return true, line[digits+2:], true
	}
	return false, "", false
}

// list writes the list that begins at line i, and returns its last line.
func list(b *strings.Builder, lines []string, i int, ordered bool) int {
	tag := "ul"
	if ordered {
		tag = "ol"
	}
	b.WriteString("<" + tag + ">")
	for ; i < len(lines); i++ {
		trimmed := strings.TrimSpace(lines[i])
		if trimmed == "" || rule(trimmed) {
			break
		}
		o, rest, ok := item(trimmed)
		if !ok || o != ordered {
			break
		}
		b.WriteString("<li>")
		inline(b, rest)
		b.WriteString("</li>")
	}
	b.WriteString("</" + tag + ">")
	return i - 1
}

// plain writes text as it is, with what could take effect made visible.
func plain(b *strings.Builder, text string) {
	begin := 0
	for i := 0; i < len(text); {
		c, size := utf8.DecodeRuneInString(text[i:])
		if c != '\n' {
			if shown := symbol(c, size); shown != "" {
				template.HTMLEscape(b, []byte(text[begin:i]))
				b.WriteString(shown)
				begin = i + size
			}
		}
		i += size
	}
	template.HTMLEscape(b, []byte(text[begin:]))
}

// inline writes a paragraph's text.
func inline(b *strings.Builder, text string) {
	p := inliner{b: b, missing: map[string]int{}}
	p.write(text, 0, false)
}

type inliner struct {
	b *strings.Builder
	// missing remembers, a mark, from which length of remaining text on no
	// closing one was found, so that a text of opening marks stays linear.
	missing map[string]int
}

// write writes text; inLink says that links must not begin in it.
func (p *inliner) write(text string, depth int, inLink bool) {
	begin := 0
	flush := func(to int) { p.lines(text[begin:to]) }
	for i := 0; i < len(text); {
		n, emit := p.span(text, i, depth, inLink)
		if n == 0 {
			i++
			continue
		}
		flush(i)
		emit()
		i += n
		begin = i
	}
	flush(len(text))
}

// lines writes text without marks, and its line ends as breaks.
func (p *inliner) lines(text string) {
	for i, line := range strings.Split(text, "\n") {
		if i > 0 {
			p.b.WriteString("<br>")
		}
		plain(p.b, line)
	}
}

// span recognizes what begins at text[i]: its length, and how to write it.
func (p *inliner) span(text string, i, depth int, inLink bool) (int, func()) {
	rest := text[i:]
	switch rest[0] {
	case '\\':
		if len(rest) > 1 && strings.IndexByte("\\`*_{}[]()#+-.!~>|@:", rest[1]) >= 0 {
			return 2, func() { plain(p.b, rest[1:2]) }
		}
	case '`':
		n := len(rest) - len(strings.TrimLeft(rest, "`"))
		if end := p.closing(rest[n:], rest[:n]); end >= 0 {
			inner := rest[n : n+end]
			return n + end + n, func() {
				p.b.WriteString("<code>")
				plain(p.b, strings.ReplaceAll(strings.TrimSpace(inner), "\n", " "))
				p.b.WriteString("</code>")
			}
		}
		return n, func() { plain(p.b, rest[:n]) }
	case '*', '_', '~':
		return p.emphasis(text, i, depth, inLink)
	case '[', '!':
		if !inLink {
			return p.link(rest, depth)
		}
	case 'h':
		if !inLink && !wordBefore(text, i) {
			return p.autolink(rest)
		}
	case '@':
		if name := mention(rest); name != "" && !wordBefore(text, i) {
			return len(name), func() {
				p.b.WriteString(`<span class="mention">`)
				plain(p.b, name)
				p.b.WriteString("</span>")
			}
		}
	case ':':
		if end := strings.IndexByte(rest[1:min(len(rest), 32)], ':'); end > 0 {
			if e := Emoji(rest[1 : 1+end]); e != "" {
				return end + 2, func() { p.b.WriteString(e) }
			}
		}
	}
	return 0, nil
}

// closing finds mark in text, standing alone: not within a longer run of its character.
func (p *inliner) closing(text, mark string) int {
	if least, ok := p.missing[mark]; ok && len(text) <= least {
		return -1
	}
	for from := 0; ; {
		at := strings.Index(text[from:], mark)
		if at < 0 {
			p.missing[mark] = max(p.missing[mark], len(text))
			return -1
		}
		at += from
		end := at + len(mark)
		for end < len(text) && text[end] == mark[0] {
			end++
		}
		if end-at == len(mark) {
			return at
		}
		from = end
	}
}

func (p *inliner) emphasis(text string, i, depth int, inLink bool) (int, func()) {
	rest := text[i:]
	n := len(rest) - len(strings.TrimLeft(rest, rest[:1]))
	tag := map[string]string{"*": "em", "_": "em", "**": "strong", "__": "strong", "~~": "del"}[rest[:min(n, 2)]]
	asWritten := func() { plain(p.b, rest[:n]) }
	if n > 2 || tag == "" || depth >= maxNesting || n == len(rest) || unicode.IsSpace(rune(rest[n])) {
		return n, asWritten
	}
	if rest[0] == '_' && wordBefore(text, i) {
		return n, asWritten // snake_case
	}
	end := p.closing(rest[n:], rest[:n])
	if end <= 0 || unicode.IsSpace(rune(rest[n+end-1])) || strings.Contains(rest[n:n+end], "\n\n") {
		return n, asWritten
	}
	after := n + end + n
	if rest[0] == '_' && after < len(rest) && isWord(rest[after:]) {
		return n, asWritten
	}
	return after, func() {
		p.b.WriteString("<" + tag + ">")
		inner := inliner{b: p.b, missing: map[string]int{}}
		inner.write(rest[n:n+end], depth+1, inLink)
		p.b.WriteString("</" + tag + ">")
	}
}

// link recognizes [text](address), and ![text](address), which is a link here.
func (p *inliner) link(rest string, depth int) (int, func()) {
	skip := 0
	if rest[0] == '!' {
		if len(rest) < 2 || rest[1] != '[' {
			return 0, nil
		}
		skip = 1
	}
	middle := p.closing(rest[skip:], "](")
	if middle <= 0 {
		return 0, nil
	}
	middle += skip
	label := rest[skip+1 : middle]
	end := strings.IndexByte(rest[middle:min(len(rest), middle+4096)], ')')
	if end < 0 || strings.ContainsAny(label, "[]\n") {
		return 0, nil
	}
	address := strings.TrimSpace(rest[middle+2 : middle+end])
	address, _, _ = strings.Cut(address, " ") // a title may follow
	if !safeLink(address) {
		return 0, nil
	}
	return middle + end + 1, func() {
		p.open(address)
		inner := inliner{b: p.b, missing: map[string]int{}}
		inner.write(label, depth+1, true)
		p.b.WriteString("</a>")
	}
}

// autolink recognizes a bare address.
func (p *inliner) autolink(rest string) (int, func()) {
	if !strings.HasPrefix(rest, "http://") && !strings.HasPrefix(rest, "https://") {
		return 0, nil
	}
	end := strings.IndexFunc(rest, func(c rune) bool {
		return unicode.IsSpace(c) || strings.ContainsRune("<>\"`|\\*", c) || c < 0x20 || c == utf8.RuneError || symbol(c, 3) != ""
	})
	if end < 0 {
		end = len(rest)
	}
	address := strings.TrimRight(rest[:end], ".,:;!?'_~")
	if strings.HasSuffix(address, ")") && !strings.Contains(address, "(") {
		address = strings.TrimRight(address, ").,:;!?")
	}
	if !safeLink(address) {
		return 0, nil
	}
	return len(address), func() {
		p.open(address)
		plain(p.b, address)
		p.b.WriteString("</a>")
	}
}

func (p *inliner) open(address string) {
	p.b.WriteString(`<a rel="noopener noreferrer" href="`)
	plain(p.b, address)
	p.b.WriteString(`">`)
}

// safeLink reports whether a link may lead to the address.
func safeLink(address string) bool {
	u, err := url.Parse(address)
	if err != nil {
		return false
	}
	switch u.Scheme {
	case "http", "https":
		return u.Host != "" && (strings.HasPrefix(address, "http://") || strings.HasPrefix(address, "https://"))
	case "mailto":
		return strings.HasPrefix(address, "mailto:")
	}
	return false
}

// mention is the name, with its @, that text begins with.
func mention(text string) string {
	n := 1
	for n < len(text) && (text[n] >= 'a' && text[n] <= 'z' || text[n] >= 'A' && text[n] <= 'Z' || text[n] >= '0' && text[n] <= '9' || strings.IndexByte("._-", text[n]) >= 0) {
		n++
	}
	name := strings.TrimRight(text[:n], "._-")
	if len(name) < 2 {
		return ""
	}
	return name
}

func wordBefore(text string, i int) bool {
	c, _ := utf8.DecodeLastRuneInString(text[:i])
	return i > 0 && (unicode.IsLetter(c) || unicode.IsDigit(c) || c == '_')
}

func isWord(text string) bool {
	c, _ := utf8.DecodeRuneInString(text)
	return unicode.IsLetter(c) || unicode.IsDigit(c) || c == '_'
}
