package markup

import "strings"

// emoji are the names that notices and scripts use most. Mattermost knows
// thousands; a name that is not here stands there as it was written.
var emoji = map[string]string{
	"+1": "👍", "-1": "👎", "100": "💯", "alarm_clock": "⏰", "ambulance": "🚑", "arrow_right": "➡️",
	"arrows_counterclockwise": "🔄", "bell": "🔔", "boom": "💥", "broom": "🧹", "bug": "🐛",
	"calendar": "📆", "chart_with_upwards_trend": "📈", "checkered_flag": "🏁", "clock1": "🕐",
	"construction": "🚧", "computer": "💻", "eyes": "👀", "exclamation": "❗", "fast_forward": "⏩",
	"file_folder": "📁", "fire": "🔥", "floppy_disk": "💾", "gear": "⚙️", "ghost": "👻",
	"green_circle": "🟢", "hammer": "🔨", "heart": "❤️", "heavy_check_mark": "✔️", "hourglass": "⌛",
	"inbox_tray": "📥", "information_source": "ℹ️", "key": "🔑", "large_blue_circle": "🔵",
	"link": "🔗", "lock": "🔒", "mag": "🔍", "mailbox": "📫", "memo": "📝", "moneybag": "💰",
	"no_entry": "⛔", "no_entry_sign": "🚫", "outbox_tray": "📤", "package": "📦", "page_facing_up": "📄",
	"pushpin": "📌", "question": "❓", "raised_hands": "🙌", "recycle": "♻️", "red_circle": "🔴",
	"robot": "🤖", "robot_face": "🤖", "rocket": "🚀", "rotating_light": "🚨", "satellite": "🛰️",
	"skull": "💀", "slightly_smiling_face": "🙂", "smile": "😄", "snail": "🐌", "sos": "🆘", "sparkles": "✨",
	"speech_balloon": "💬", "stop_sign": "🛑", "stopwatch": "⏱️", "sunny": "☀️", "tada": "🎉",
	"timer_clock": "⏲️", "truck": "🚚", "turtle": "🐢", "wastebasket": "🗑️", "warning": "⚠️",
	"wave": "👋", "white_check_mark": "✅", "wrench": "🔧", "x": "❌", "yellow_circle": "🟡", "zap": "⚡",
}

// Emoji is the character of a name, with or without its colons; empty when
// the name is not known here.
func Emoji(name string) string { return emoji[strings.Trim(name, ":")] }
