package run

import (
	"math"
	"strconv"
	"strings"
)

// A Progress is how far a run is, as its script says.
type Progress struct {
	Done  float64 `json:"done"`
	Total float64 `json:"total"` // 0 when the script does not know
	Text  string  `json:"text,omitempty"`
}

// maxProgressText is how much of a progress' text is kept, in runes.
const maxProgressText = 200

// ParseProgress reads DONE TOTAL TEXT, as a script's SDK writes it.
func ParseProgress(record string) (Progress, bool) {
	done, rest, _ := strings.Cut(record, " ")
	total, text, _ := strings.Cut(rest, " ")
	var p Progress
	var err1, err2 error
	p.Done, err1 = strconv.ParseFloat(done, 64)
	p.Total, err2 = strconv.ParseFloat(total, 64)
	if err1 != nil || err2 != nil || !(p.Done >= 0) || !(p.Total >= 0) || math.IsInf(p.Done, 0) || math.IsInf(p.Total, 0) {
		return Progress{}, false
	}
	if r := []rune(text); len(r) > maxProgressText {
		text = string(r[:maxProgressText]) + "…"
	}
	p.Text = text
	return p, true
}

// Percent is how much is done, from 0 to 100; -1 when that is not known.
func (p Progress) Percent() int {
	if p.Total <= 0 {
		return -1
	}
	return int(100 * min(1, p.Done/p.Total))
}

// Count is what is done of how much, such as 500/1000.
func (p Progress) Count() string {
	text := strconv.FormatFloat(p.Done, 'f', -1, 64)
	if p.Total > 0 {
		text += "/" + strconv.FormatFloat(p.Total, 'f', -1, 64)
	}
	return text
}
