package store

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/apimeld/agent/agent/run"
	"github.com/apimeld/agent/agent/runlog"
)

func TestSecondAgentIsRefused(t *testing.T) {
	open := sqliteOpener(t)
	s := open(t, nil)
	_, err := Open(context.Background(), Config{Path: s.Path, Source: "default"})
	if err == nil || !strings.Contains(err.Error(), "another agent (process ") || !strings.Contains(err.Error(), "--state") {
		t.Errorf("err = %v", err)
	}
	if err := s.Ping(context.Background()); err != nil {
		t.Errorf("the first one is disturbed: %v", err)
	}
}

func TestBadFiles(t *testing.T) {
	good := func(t *testing.T) string {
		s := sqliteOpener(t)(t, nil)
		r := add(t, s, slotRun("x", t0))[0]
		for i := range 20 {
			if err := s.AppendLog(context.Background(), r.ID, []runlog.Chunk{{Attempt: 1, Seq: i, Data: make([]byte, 8000)}}, nil); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		return s.Path
	}
	change := func(t *testing.T, path string, f func([]byte) []byte) {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, f(b), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, tt := range map[string]struct {
		spoil func(t *testing.T, path string)
		want  string
	}{
		"text": {func(t *testing.T, path string) {
			change(t, path, func([]byte) []byte { return []byte(strings.Repeat("no database ", 500)) })
		}, "is not a database"},
		"damaged": {func(t *testing.T, path string) {
			change(t, path, func(b []byte) []byte {
				for i := 4096; i < len(b); i++ {
					b[i] ^= 0x5a
				}
				return b
			})
		}, "damaged"},
		"cut off": {func(t *testing.T, path string) {
			change(t, path, func(b []byte) []byte { return b[:len(b)/2] })
		}, "damaged"},
		"newer": {func(t *testing.T, path string) {
			db, err := sql.Open("sqlite", path)
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			if _, err := db.Exec("PRAGMA user_version = 99"); err != nil {
				t.Fatal(err)
			}
		}, "newer agent"},
		"folder": {func(t *testing.T, path string) {
			if err := errors.Join(os.Remove(path), os.Mkdir(path, 0o755)); err != nil {
				t.Fatal(err)
			}
		}, "is a directory"},
	} {
		t.Run(name, func(t *testing.T) {
			path := good(t)
			tt.spoil(t, path)
			_, err := Open(context.Background(), Config{Path: path, Source: "default"})
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("err = %v", err)
			}
		})
	}
}

// TestReadOnly opens a database as a user who may not write it; root may
// write everything, so another user is needed for that.
func TestReadOnly(t *testing.T) {
	if os.Getuid() == 0 {
		if os.Getenv("AGENT_TEST_AS_NOBODY") != "" {
			t.Fatal("still root")
		}
		dir, err := os.MkdirTemp("", "store")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		binary := filepath.Join(dir, "test")
		b, err := os.ReadFile("/proc/self/exe")
		if err != nil {
			t.Skip("needs /proc to run as another user: ", err)
		}
		if err := errors.Join(os.Chmod(dir, 0o755), os.WriteFile(binary, b, 0o755)); err != nil {
			t.Fatal(err)
		}
		s, err := Open(context.Background(), Config{Path: filepath.Join(dir, "agent.db"), Source: "default"})
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(s.Close(), os.Chmod(s.Path, 0o444)); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(binary, "-test.run=^TestReadOnly$", "-test.v")
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "AGENT_TEST_AS_NOBODY="+s.Path)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS") {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	path := os.Getenv("AGENT_TEST_AS_NOBODY")
	if path == "" {
		path = filepath.Join(t.TempDir(), "agent.db")
		s, err := Open(context.Background(), Config{Path: path, Source: "default"})
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(s.Close(), os.Chmod(path, 0o444)); err != nil {
			t.Fatal(err)
		}
	}
	_, err := Open(context.Background(), Config{Path: path, Source: "default"})
	if err == nil || !strings.Contains(err.Error(), "may not write") {
		t.Errorf("err = %v", err)
	}
}

// TestFull fills the database, and makes room again.
func TestFull(t *testing.T) {
	s := sqliteOpener(t)(t, nil)
	ctx := context.Background()
	r := add(t, s, slotRun("x", t0))[0]
	limit := func(pages string) {
		t.Helper()
		if err := s.write.do(ctx, func(t *tx) error {
			var n int
			return t.conn.QueryRowContext(ctx, "PRAGMA max_page_count = "+pages).Scan(&n)
		}); err != nil {
			t.Fatal(err)
		}
	}
	limit("60")
	var err error
	seq := 0
	for ; err == nil && seq < 1000; seq++ {
		err = s.AppendLog(ctx, r.ID, []runlog.Chunk{{Attempt: 1, Seq: seq, Data: make([]byte, 4000)}}, nil)
	}
	if !errors.Is(err, ErrFull) {
		t.Fatalf("err = %v", err)
	}
	f := Finish{RunID: r.ID, State: run.Success, Ended: t0, Chunks: []runlog.Chunk{{Attempt: 1, Seq: seq, Data: make([]byte, 40_000)}},
		Notices: func(run.Run, Before) ([]Notice, error) { return []Notice{{Webhook: "A"}}, nil }}
	if _, err := s.Finish(ctx, f); !errors.Is(err, ErrFull) {
		t.Fatalf("err = %v", err)
	}
	if got, err := s.Run(ctx, r.ID); err != nil || got.State != run.Queued {
		t.Errorf("half of it is done: %v, %v", got.State, err)
	}
	if pending, _ := s.PendingWebhooks(ctx); len(pending) != 0 {
		t.Error("a notice without its end")
	}
	limit("100000")
	if _, err := s.Finish(ctx, f); err != nil {
		t.Errorf("after room was made: %v", err)
	}
}

// BenchmarkRuns makes trivial runs, 64 at a time, with all that is stored of each.
func BenchmarkRuns(b *testing.B) {
	s, err := Open(context.Background(), Config{Path: filepath.Join(b.TempDir(), "agent.db"), Source: "default"})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	ctx := context.Background()
	b.SetParallelism(32)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			made, err := s.AddRuns(ctx, []NewRun{{TaskID: "x", Trigger: run.Manual, Due: t0, Lease: true, State: run.Queued}})
			if err != nil {
				b.Error(err)
				return
			}
			a := run.Attempt{Number: 1, Started: t0, State: run.Running, PID: 1}
			if err := s.Started(ctx, Start{RunID: made[0].ID, Revision: "abc", Attempt: a}); err != nil {
				b.Error(err)
			}
			a.Ended, a.State = t0, run.Success
			if _, err := s.Finish(ctx, Finish{RunID: made[0].ID, State: run.Success, Ended: t0, Attempt: &a, Chunks: []runlog.Chunk{{Attempt: 1, Data: make([]byte, 80)}}}); err != nil {
				b.Error(err)
			}
		}
	})
}

// TestMigrate opens a database as each version left it.
func TestMigrate(t *testing.T) {
	ctx := context.Background()
	path := filepath.Join(t.TempDir(), "agent.db")
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	first, err := migrations.ReadFile("migrations/0001.sql")
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{string(first), "PRAGMA user_version = 1",
		`INSERT INTO runs (source, id, task, task_name, number, triggered, slot, due, created, state, reason, attempts)
		VALUES ('default', '0193', 'a', 'A', 7, 'manual', 0, 1, 1, 'queued', '', 1)`} {
		if _, err := db.ExecContext(ctx, text); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	s := sqliteOpenerAt(path)(t, nil)
	if r, err := s.FindRun(ctx, "a#7"); err != nil || r.ID != "0193" || r.Progress != nil {
		t.Errorf("%+v, %v", r, err)
	}
	if left, err := s.Unfinished(ctx); err != nil || len(left) != 1 || left[0].Request != nil {
		t.Errorf("%+v, %v", left, err)
	}
	if err := s.SetState(ctx, "a", "k", []byte("1")); err != nil {
		t.Error(err)
	}
}
