package secret

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
)

// Mask is what stands in place of a secret's value.
const Mask = "***"

// minMasked is the shortest value that is masked: a shorter one stands in too
// much text by chance, and masking it would tell more than it hides.
const minMasked = 4

// A Masker replaces secret values in text. The zero value and nil replace
// nothing. It is safe for concurrent use.
type Masker struct {
	replacer *strings.Replacer
}

// NewMasker returns a masker for the values, each line of a value of several
// lines, and what base64, URL and JSON encoding make of them. Values below 4
// bytes are not masked.
func NewMasker(values ...string) *Masker {
	var forms []string
	add := func(form string) {
		if len(form) >= minMasked {
			forms = append(forms, form)
		}
	}
	for _, value := range values {
		value = strings.TrimSpace(value)
		if len(value) < minMasked {
			continue
		}
		add(value)
		for line := range strings.Lines(value) {
			add(strings.TrimSpace(line))
		}
		add(url.QueryEscape(value))
		add(url.PathEscape(value))
		add(base64.StdEncoding.EncodeToString([]byte(value)))
		add(base64.RawStdEncoding.EncodeToString([]byte(value)))
		add(base64.RawURLEncoding.EncodeToString([]byte(value)))
		if quoted, err := json.Marshal(value); err == nil {
			add(string(quoted[1 : len(quoted)-1]))
		}
	}
	if len(forms) == 0 {
		return nil
	}
	// Longest first: a replacer takes the first that matches at a place, and
	// a value that begins another must not leave the other's end behind.
	slices.SortFunc(forms, func(a, b string) int { return cmp.Or(len(b)-len(a), strings.Compare(a, b)) })
	forms = slices.Compact(forms)
	pairs := make([]string, 0, 2*len(forms))
	for _, form := range forms {
		pairs = append(pairs, form, Mask)
	}
	return &Masker{replacer: strings.NewReplacer(pairs...)}
}

// Mask returns text with every secret value replaced by [Mask].
func (m *Masker) Mask(text string) string {
	if m == nil || m.replacer == nil {
		return text
	}
	return m.replacer.Replace(text)
}
