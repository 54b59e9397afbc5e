package schema

import (
	"testing"

	"gopkg.in/yaml.v3"
)

// FuzzAccept holds the quick rules to the library: they accept nothing that
// it refuses.
func FuzzAccept(f *testing.F) {
	for _, text := range []string{
		"kind: Task\nname: x\nscript: echo\n",
		"kind: Task\nname: x\nscript: echo\nschedule: ['@daily', {cron: '0 2 * * *', jitter: 30s}]\nenv: {A: 1}\nlabels: {a: b}\nnotify: [{webhook: A, events: [start, lost], mention: ['@a']}]\nretry: {attempts: 3}\n",
		"kind: Task\nname: ''\nenabled: 'yes'\ntimeout: 30\nargs: [1, 2.5, true, null]\nretry: {attempts: 0}\nretention: {runs: 1e3}\n",
		"kind: Webhook\nname: A\nurl: x\nicon: ':a:'\n",
		"kind: Defaults\nsync: {notify: [A, A]}\nretention: {runs: 0x10, age: 1d}\n",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		file := Parse("x.yaml", []byte(text))
		for _, d := range file.Documents {
			s := schemas()[d.Kind]
			if s.quick.accepts(d.Root) {
				if err := s.Validate(value(d.Root)); err != nil {
					t.Errorf("accepted, although %v", err)
				}
			}
		}
	})
}

// TestAcceptsCommon holds that common documents take the quick way.
func TestAcceptsCommon(t *testing.T) {
	for kind, text := range map[string]string{
		Task:     "kind: Task\nname: x\nscript: echo\nschedule: ['@daily', {cron: '0 2 * * *', jitter: 30s}]\nenv: {A: 1}\nlabels: {a: b}\nnotify: [{webhook: A, events: [start, lost], mention: ['@a']}]\nretry: {attempts: 3}\n",
		Webhook:  "kind: Webhook\nname: A\nurl: x\nicon: ':a:'\n",
		Defaults: "kind: Defaults\nsync: {notify: [A]}\nretention: {runs: 10, age: 1d}\n",
	} {
		var n yaml.Node
		if err := yaml.Unmarshal([]byte(text), &n); err != nil {
			t.Fatal(err)
		}
		if !schemas()[kind].quick.accepts(n.Content[0]) {
			t.Errorf("%s takes the slow way", kind)
		}
	}
}
