package config

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/apimeld/agent/schema"
)

const (
	missingSecret       = "missing-secret"
	missingSecretFormat = "no source knows the secret %q"
)

// secretEnv is the variable that holds a secret. The rule is agent/secret's;
// its name is the same for every secret and stands in the documentation.
func secretHint(name string) string {
	return "set AGENT_SECRET_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_")) + ", or put a file " + name + " into the folder of --secrets-dir"
}

// MissingSecrets are the secrets that problems are about.
func MissingSecrets(problems []schema.Problem) map[string]bool {
	names := map[string]bool{}
	for _, p := range problems {
		var name string
		if p.Rule == missingSecret {
			if _, err := fmt.Sscanf(p.Message, missingSecretFormat, &name); err == nil {
				names[name] = true
			}
		}
	}
	return names
}

// Expand puts secrets in place of the references in a value. It fails, without
// any secret in the error, when one is not known.
func Expand(value string, lookup func(name string) (string, bool)) (string, error) {
	if !strings.Contains(value, secretOpen) {
		return value, nil
	}
	var b strings.Builder
	for {
		before, rest, ok := strings.Cut(value, secretOpen)
		b.WriteString(before)
		if !ok {
			return b.String(), nil
		}
		name, after, ok := strings.Cut(rest, "}")
		if !ok {
			b.WriteString(secretOpen)
			value = rest
			continue
		}
		secret, ok := lookup(name)
		if !ok {
			return "", fmt.Errorf(missingSecretFormat+"\n%s", name, secretHint(name))
		}
		b.WriteString(secret)
		value = after
	}
}

func validURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.Host != "" && (u.Scheme == "http" || u.Scheme == "https")
}

// maxSlug is how long an id may be.
const maxSlug = 100

// Slug is the id that a name gives: lower case letters and digits of ASCII,
// and dashes between them. It may be empty.
func Slug(name string) string {
	var b strings.Builder
	dash := false
	for _, r := range strings.ToLower(name) {
		if letters, ok := transliterated[r]; ok {
			r = -1
			if dash && b.Len() > 0 {
				b.WriteByte('-')
			}
			dash = false
			b.WriteString(letters)
			continue
		}
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			if dash && b.Len() > 0 {
				b.WriteByte('-')
			}
			dash = false
			b.WriteRune(r)
			continue
		}
		dash = true
	}
	s := b.String()
	return strings.Trim(s[:min(len(s), maxSlug)], "-")
}

// transliterated are the letters that common names in Latin script hold.
var transliterated = map[rune]string{
	'ä': "ae", 'ö': "oe", 'ü': "ue", 'ß': "ss", 'æ': "ae", 'ø': "o", 'å': "a",
	'á': "a", 'à': "a", 'â': "a", 'ã': "a", 'é': "e", 'è': "e", 'ê': "e", 'ë': "e",
	'í': "i", 'ì': "i", 'î': "i", 'ï': "i", 'ó': "o", 'ò': "o", 'ô': "o", 'õ': "o",
	'ú': "u", 'ù': "u", 'û': "u", 'ç': "c", 'ñ': "n", 'ł': "l", 'ś': "s", 'š': "s", 'ž': "z", 'ź': "z", 'ż': "z", 'č': "c", 'ć': "c", 'ń': "n", 'ý': "y",
}
