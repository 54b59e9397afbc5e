package markup

import (
	"strings"
	"testing"
	"time"
)

func TestMarkdown(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"paragraphs and breaks", "one\ntwo\n\nthree", "<p>one<br>two</p><p>three</p>"},
		{"bold italic struck", "**Task:** *x* _y_ ~~z~~", "<p><strong>Task:</strong> <em>x</em> <em>y</em> <del>z</del></p>"},
		{"snake case", "a_b_c and 2 * 3 * 4", "<p>a_b_c and 2 * 3 * 4</p>"},
		{"nested", "**bold *and* `code`**", "<p><strong>bold <em>and</em> <code>code</code></strong></p>"},
		{"code span", "run `a*b*` now", "<p>run <code>a*b*</code> now</p>"},
		{"longer code span", "``a`b``", "<p><code>a`b</code></p>"},
		{"fence", "```\n**not bold**\n<b>\n```\nafter", "<pre><code>**not bold**\n&lt;b&gt;</code></pre><p>after</p>"},
		{"longer fence", "````\n```\n````", "<pre><code>```</code></pre>"},
		{"open fence", "```sh\nx", "<pre><code>x</code></pre>"},
		{"link", "[View full log →](https://agent.example.com/runs/1?a=1&b=2)", `<p><a rel="noopener noreferrer" href="https://agent.example.com/runs/1?a=1&amp;b=2">View full log →</a></p>`},
		{"bad link", "[x](javascript:alert(1))", "<p>[x](javascript:alert(1))</p>"},
		{"data link", "[x](data:text/html,1)", "<p>[x](data:text/html,1)</p>"},
		{"quote in link", `[x](https://a.example/"onclick=1)`, `<p><a rel="noopener noreferrer" href="https://a.example/&#34;onclick=1">x</a></p>`},
		{"picture is a link", "![x](https://a.example/p.png)", `<p><a rel="noopener noreferrer" href="https://a.example/p.png">x</a></p>`},
		{"bare address", "see https://a.example/x_y_z.", `<p>see <a rel="noopener noreferrer" href="https://a.example/x_y_z">https://a.example/x_y_z</a>.</p>`},
		{"html", "<img src=x onerror=alert(1)>", "<p>&lt;img src=x onerror=alert(1)&gt;</p>"},
		{"mention", "@oncall look, a@b.c", `<p><span class="mention">@oncall</span> look, a@b.c</p>`},
		{"defused mention", "@\u200bchannel", "<p>@\u200bchannel</p>"},
		{"emoji", ":white_check_mark: :nope: 10:30:15", "<p>✅ :nope: 10:30:15</p>"},
		{"list", "- a\n- **b**\n\n1. c", "<ul><li>a</li><li><strong>b</strong></li></ul><ol><li>c</li></ol>"},
		{"quote", "> a\n> b", "<blockquote><p>a<br>b</p></blockquote>"},
		{"heading and rule", "# Big\n---\n#nope", "<h3>Big</h3><hr><p>#nope</p>"},
		{"escape", `\*not\*`, "<p>*not*</p>"},
		{"control", "a\x00\u202eb", "<p>a␀⟨202E⟩b</p>"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := string(Markdown(c.in))
			if got != c.want {
				t.Errorf("Markdown(%q)\n got %s\nwant %s", c.in, got, c.want)
			}
			checkHTML(t, got)
		})
	}
}

// Text made to look for closing marks again and again must not take long.
func TestMarkdownIsLinear(t *testing.T) {
	for _, unit := range []string{"*a", "**a ", "[", "[a](", "`a", "``a`", "_a ", "> ", "~~", "![", "*a **b "} {
		start := time.Now()
		Markdown(strings.Repeat(unit, 200_000/len(unit)))
		if took := time.Since(start); took > 3*time.Second {
			t.Errorf("200 kB of %q took %s", unit, took)
		}
	}
}

func FuzzMarkdown(f *testing.F) {
	for _, s := range []string{"**a** _b_ `c` [d](https://e)", "```\nx\n```", "> - a\n1. b", "@all :x: \\* \x00\u202e", "[a](mailto:b)", "*a **b* c**"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		checkHTML(t, string(Markdown(s)))
	})
}
