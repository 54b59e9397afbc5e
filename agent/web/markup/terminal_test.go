package markup

import (
	"encoding/xml"
	"io"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestTerminal(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"plain", "synced 1,247 orders", "synced 1,247 orders"},
		{"html", `<script>alert("1")</script> & more`, "&lt;script&gt;alert(&#34;1&#34;)&lt;/script&gt; &amp; more"},
		{"colour", "\x1b[31mred\x1b[0m plain", `<span class="c1">red</span> plain`},
		{"bright and bold", "\x1b[1;92mok\x1b[m", `<span class="c10 bold">ok</span>`},
		{"colour to the end", "\x1b[33mwarn", `<span class="c3">warn</span>`},
		{"html in colour", "\x1b[33m<b>", `<span class="c3">&lt;b&gt;</span>`},
		{"256 colours", "\x1b[38;5;2mgreen\x1b[38;5;200m?", `<span class="c2">green</span>?`},
		{"rgb", "\x1b[38;2;1;2;3mx", "x"},
		{"cursor", "\x1b[2K\x1b[1Gdone", "done"},
		{"title", "\x1b]0;title\x07text", "text"},
		{"hyperlink", "\x1b]8;;javascript:alert(1)\x1b\\text\x1b]8;;\x1b\\", "text"},
		{"endless string", "before\x1b]0;title", "before"},
		{"lone escape", "a\x1b", "a"},
		{"cut sequence", "a\x1b[31", "a"},
		{"progress", "10%\r50%\r100%", "100%"},
		{"progress, then return", "100%\r", "100%"},
		{"nul", "a\x00b", `a<span class="ctl">␀</span>b`},
		{"bell and backspace", "\a\b", `<span class="ctl">␇</span><span class="ctl">␈</span>`},
		{"tab stays", "a\tb", "a\tb"},
		{"direction", "a\u202eb\u2066c", `a<span class="ctl">⟨202E⟩</span>b<span class="ctl">⟨2066⟩</span>c`},
		{"not UTF-8", "a\xffb", `a<span class="ctl">` + "\ufffd" + `</span>b`},
		{"control inside colour", "\x1b[31ma\x00b", `<span class="c1">a<span class="ctl">␀</span>b</span>`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := string(Terminal(c.in)); got != c.want {
				t.Errorf("Terminal(%q)\n got %s\nwant %s", c.in, got, c.want)
			}
		})
	}
}

func FuzzTerminal(f *testing.F) {
	for _, s := range []string{"\x1b[1;31mx\x1b[0m", "\x1b]0;t\x07", "\u202e\x00\xff\r", "\x9b31m", "\u009b31mx", "<a>&\""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		checkHTML(t, string(Terminal(s)))
	})
}

// checkHTML checks that a fragment is well-formed, holds only elements and
// attributes that this package writes, and no control characters.
func checkHTML(t *testing.T, fragment string) {
	t.Helper()
	if !utf8.ValidString(fragment) {
		t.Fatalf("not UTF-8: %q", fragment)
	}
	for _, c := range fragment {
		if c < 0x20 && c != '\t' && c != '\n' || c >= 0x202a && c <= 0x202e || c >= 0x2066 && c <= 0x2069 || c == 0x7f {
			t.Fatalf("control character %U in %q", c, fragment)
		}
	}
	allowed := map[string]string{"span": "class", "a": "href rel", "code": "", "pre": "", "p": "", "strong": "", "em": "", "del": "", "br": "",
		"ul": "", "ol": "start", "li": "", "blockquote": "", "h3": "", "h4": "", "h5": "", "hr": "", "fragment": ""}
	d := xml.NewDecoder(strings.NewReader("<fragment>" + strings.ReplaceAll(strings.ReplaceAll(fragment, "<br>", "<br/>"), "<hr>", "<hr/>") + "</fragment>"))
	d.Strict = true
	for {
		token, err := d.Token()
		if err == io.EOF {
			return
		}
		if err != nil {
			// XML knows fewer characters than HTML; anything else is unbalanced.
			if strings.Contains(err.Error(), "illegal character code") {
				return
			}
			t.Fatalf("%v in %q", err, fragment)
		}
		e, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		attributes, ok := allowed[e.Name.Local]
		if !ok {
			t.Fatalf("element %s in %q", e.Name.Local, fragment)
		}
		for _, a := range e.Attr {
			if !strings.Contains(attributes, a.Name.Local) {
				t.Fatalf("attribute %s of %s in %q", a.Name.Local, e.Name.Local, fragment)
			}
			if a.Name.Local == "href" && !strings.HasPrefix(a.Value, "http://") && !strings.HasPrefix(a.Value, "https://") && !strings.HasPrefix(a.Value, "mailto:") {
				t.Fatalf("link to %q in %q", a.Value, fragment)
			}
		}
	}
}
