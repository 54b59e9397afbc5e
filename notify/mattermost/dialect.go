package mattermost

import (
	"net/url"
	"regexp"
	"strings"

	"github.com/apimeld/agent/notify"
)

// What others take that take Slack's payload, in runes.
const (
	discordRunes    = 1900  // 2,000 code units (discord.com/developers/docs/resources/message)
	rocketChatRunes = 5000  // its setting Message_MaxAllowedSize, as it comes
	slackRunes      = 39000 // it cuts at 40,000 (api.slack.com/methods/chat.postMessage)
)

// adapt fits a message, which is Mattermost's Markdown, to the receiver that a
// URL leads to.
func adapt(p Post, webhookURL string) Post {
	u, err := url.Parse(webhookURL)
	if err != nil {
		return p
	}
	path := strings.Split(strings.Trim(u.Path, "/"), "/")
	switch host := strings.ToLower(u.Hostname()); {
	case host == "hooks.slack.com" || host == "hooks.slack-gov.com":
		p.Text = slackMarkup(notify.Shorten(p.Text, slackRunes))
	case (host == "discord.com" || host == "discordapp.com" || strings.HasSuffix(host, ".discord.com")) && path[len(path)-1] == "slack":
		p.Text = notify.Shorten(p.Text, discordRunes)
	case len(path) >= 3 && path[len(path)-3] == "hooks":
		// Rocket.Chat's are /hooks/ID/TOKEN, Mattermost's /hooks/ID.
		p.Text = notify.Shorten(p.Text, rocketChatRunes)
	}
	return p
}

var (
	bold = regexp.MustCompile(`\*\*([^*\n]+)\*\*`)
	link = regexp.MustCompile(`\[([^\]\n|]+)\]\((https?://[^\s()|]+)\)`)
	// escape is what Slack asks for, in code as well.
	escape = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")
)

// slackMarkup writes bold and links as Slack has them, outside of fences.
func slackMarkup(text string) string {
	var b strings.Builder
	fence := ""
	for line := range strings.Lines(text) {
		line = escape.Replace(line)
		ticks := len(line) - len(strings.TrimLeft(line, "`"))
		switch {
		case fence == "" && ticks >= 3:
			fence = line[:ticks]
			line = "```\n"
		case fence != "" && strings.TrimRight(line, "\n") == fence:
			fence = ""
			line = strings.Replace(line, line[:ticks], "```", 1)
		case fence != "": // of three now: none in it may end it
			line = strings.ReplaceAll(line, "```", "`\u200b``")
		default:
			line = link.ReplaceAllString(bold.ReplaceAllString(line, "*$1*"), "<$2|$1>")
		}
		b.WriteString(line)
	}
	return b.String()
}
