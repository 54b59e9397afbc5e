package control

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

type speaker struct {
	mu    sync.Mutex
	heard []string
	state map[string][]byte
	err   error
}

func (s *speaker) Speak(_ context.Context, runID string, n Notice) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return "", s.err
	}
	s.heard = append(s.heard, fmt.Sprintf("%s: %s/%s: %d bytes", runID, n.Webhook, n.Channel, len(n.Text)))
	return fmt.Sprint(len(s.heard)), nil
}

func (s *speaker) State(_ context.Context, runID, key string) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state[runID+" "+key], s.err
}

func (s *speaker) SetState(_ context.Context, runID, key string, value []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state == nil {
		s.state = map[string][]byte{}
	}
	s.state[runID+" "+key] = value
	return s.err
}

func listen(t *testing.T, dir string, sp Agent) *Server {
	t.Helper()
	s, err := Listen(dir, sp, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestSend(t *testing.T) {
	sp := &speaker{}
	s := listen(t, t.TempDir(), sp)
	info, err := os.Stat(s.Path())
	if err != nil {
		t.Fatal(err)
	}
	if perm := info.Mode().Perm(); perm != 0o600 {
		t.Errorf("the socket's mode is %v", perm)
	}
	token, release := s.Register("run-1")
	ctx := context.Background()
	err = Client{s.Path(), token}.Send(ctx, Notice{Webhook: "Ops Channel", Text: strings.Repeat("🙂", 1<<18), Channel: "x"})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"run-1: Ops Channel/x: 1048576 bytes"}, sp.heard); diff != "" {
		t.Error(diff)
	}

	wantErr := func(what string, err error, want string) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q in it", what, err, want)
		}
	}
	wantErr("empty text", Client{s.Path(), token}.Send(ctx, Notice{Webhook: "x", Text: " \n"}), "empty")
	wantErr("wrong token", Client{s.Path(), token + "x"}.Send(ctx, Notice{Webhook: "x", Text: "x"}), "is over")
	wantErr("too long", Client{s.Path(), token}.Send(ctx, Notice{Webhook: "x", Text: strings.Repeat("x", maxBody)}), "larger than")
	sp.err = &RefusedError{Title: "unknown webhook", Detail: `unknown webhook "x"; known: Ops Channel`}
	wantErr("refused", Client{s.Path(), token}.Send(ctx, Notice{Webhook: "x", Text: "x"}), "known: Ops Channel")
	sp.err = errors.New("disk full")
	wantErr("not stored", Client{s.Path(), token}.Send(ctx, Notice{Webhook: "x", Text: "x"}), "could not store")
	release()
	wantErr("after the run", Client{s.Path(), token}.Send(ctx, Notice{Webhook: "x", Text: "x"}), "is over")
	wantErr("outside a run", Client{"", ""}.Send(ctx, Notice{}), "not inside a run")
	wantErr("no agent", Client{s.Path() + "x", token}.Send(ctx, Notice{}), "is it gone")
}

func TestListenTakesOverASocketAndShortensAPath(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "agent.sock"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	listen(t, dir, &speaker{})

	deep := filepath.Join(dir, strings.Repeat("deep/", 30))
	if err := os.MkdirAll(deep, 0o755); err != nil {
		t.Fatal(err)
	}
	s := listen(t, deep, &speaker{})
	token, release := s.Register("run")
	defer release()
	c := Client{s.Path(), token}
	if err := c.Send(context.Background(), Notice{Webhook: "x", Text: "x"}); err != nil {
		t.Error(err)
	}
}

func TestState(t *testing.T) {
	s := listen(t, t.TempDir(), &speaker{})
	token, release := s.Register("run-1")
	defer release()
	ctx, c := context.Background(), Client{s.Path(), token}
	for _, key := range []string{"a", ".", "..", "a/b", "a?b&c=d#e", "Ümläut 🙂", strings.Repeat("k", MaxKey)} {
		if _, err := c.State(ctx, key); !errors.Is(err, ErrNotSet) {
			t.Errorf("%q before: %v", key, err)
		}
		if err := c.SetState(ctx, key, []byte(`{"key":"`+"x"+`"}`)); err != nil {
			t.Errorf("set %q: %v", key, err)
		}
		if value, err := c.State(ctx, key); err != nil || string(value) != `{"key":"x"}` {
			t.Errorf("%q: %s, %v", key, value, err)
		}
		if err := c.SetState(ctx, key, nil); err != nil {
			t.Errorf("delete %q: %v", key, err)
		}
		if _, err := c.State(ctx, key); !errors.Is(err, ErrNotSet) {
			t.Errorf("%q after: %v", key, err)
		}
	}
	for what, err := range map[string]error{
		"empty key":   c.SetState(ctx, "", []byte("1")),
		"long key":    c.SetState(ctx, strings.Repeat("k", MaxKey+1), []byte("1")),
		"no JSON":     c.SetState(ctx, "k", []byte("{")),
		"no value":    c.SetState(ctx, "k", []byte{}),
		"large value": c.SetState(ctx, "k", []byte(`"`+strings.Repeat("x", MaxValue)+`"`)),
		"wrong token": Client{s.Path(), "x"}.SetState(ctx, "k", []byte("1")),
		"outside":     Client{}.SetState(ctx, "k", []byte("1")),
	} {
		if err == nil {
			t.Errorf("%s: no error", what)
		}
	}
}
