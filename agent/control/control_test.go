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

func listen(t *testing.T, dir string, sp Speaker) *Server {
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
	if err := Send(ctx, s.Path(), token, Notice{Webhook: "Ops Channel", Text: strings.Repeat("🙂", 1<<18), Channel: "x"}); err != nil {
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
	wantErr("empty text", Send(ctx, s.Path(), token, Notice{Webhook: "x", Text: " \n"}), "empty")
	wantErr("wrong token", Send(ctx, s.Path(), token+"x", Notice{Webhook: "x", Text: "x"}), "is over")
	wantErr("too long", Send(ctx, s.Path(), token, Notice{Webhook: "x", Text: strings.Repeat("x", maxBody)}), "larger than")
	sp.err = &RefusedError{Title: "unknown webhook", Detail: `unknown webhook "x"; known: Ops Channel`}
	wantErr("refused", Send(ctx, s.Path(), token, Notice{Webhook: "x", Text: "x"}), "known: Ops Channel")
	sp.err = errors.New("disk full")
	wantErr("not stored", Send(ctx, s.Path(), token, Notice{Webhook: "x", Text: "x"}), "could not store")
	release()
	wantErr("after the run", Send(ctx, s.Path(), token, Notice{Webhook: "x", Text: "x"}), "is over")
	wantErr("outside a run", Send(ctx, "", "", Notice{}), "not inside a run")
	wantErr("no agent", Send(ctx, s.Path()+"x", token, Notice{}), "is it gone")
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
	if err := Send(context.Background(), s.Path(), token, Notice{Webhook: "x", Text: "x"}); err != nil {
		t.Error(err)
	}
}
