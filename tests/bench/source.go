package main

import (
	"context"
	"fmt"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// commit is from a pushed commit that changes one of 10,000 files to its
// being live, beside what git fetch of it takes from the same server.
func (b *bench) commit() error {
	git := func(dir string, args ...string) error {
		cmd := exec.Command("git", args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@b", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@b", "GIT_CONFIG_GLOBAL=/dev/null")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("git %s: %w\n%s", strings.Join(args, " "), err, out)
		}
		return nil
	}
	work, err := b.repository("commit", 10_000)
	if err != nil {
		return err
	}
	root := filepath.Join(b.dir, "served")
	bare, native := filepath.Join(root, "x.git"), filepath.Join(b.dir, "native")
	backend, err := exec.LookPath("git")
	if err != nil {
		return err
	}
	server := httptest.NewServer(&cgi.Handler{Path: backend, Args: []string{"http-backend"}, Env: []string{"GIT_PROJECT_ROOT=" + root, "GIT_HTTP_EXPORT_ALL=1"}})
	defer server.Close()
	for _, step := range [][]string{
		{"", "init", "-q", "--bare", "-b", "main", bare},
		{work, "init", "-q", "-b", "main"},
		{work, "add", "-A"},
		{work, "commit", "-q", "-m", "first"},
		{work, "push", "-q", bare, "main"},
		{"", "clone", "-q", "--bare", server.URL + "/x.git", native},
	} {
		if err := git(step[0], step[1:]...); err != nil {
			return err
		}
	}
	a, err := b.agent(server.URL+"/x.git", "--state", filepath.Join(b.dir, "commit-state"))
	if err != nil {
		return err
	}
	defer a.stop()
	var ours, theirs []time.Duration
	for i := range 15 {
		file := filepath.Join(work, "team-00", "task-00000.yaml")
		if err := os.WriteFile(file, []byte(taskText(0, fmt.Sprintf("# change %d\n", i))), 0o644); err != nil {
			return err
		}
		for _, step := range [][]string{{work, "commit", "-q", "-am", "change"}, {work, "push", "-q", bare, "main"}} {
			if err := git(step[0], step[1:]...); err != nil {
				return err
			}
		}
		began := time.Now()
		result, err := a.client.Sync(context.Background())
		if err != nil || result.State != "live" {
			return fmt.Errorf("sync: %+v, %w", result, err)
		}
		ours = append(ours, time.Since(began))
		began = time.Now()
		if err := git(native, "fetch", "-q", "origin", "main:main"); err != nil {
			return err
		}
		theirs = append(theirs, time.Since(began))
	}
	m, o := percentile(ours, 0.5), percentile(theirs, 0.5)
	b.add("a commit live, 10,000 files, 1 changed", ms(m), "git fetch: "+ms(o), fmt.Sprintf("%.2f ×", m.Seconds()/o.Seconds()), "≤ 1.5 ×")
	return nil
}

// idle is what many tasks cost that are not due.
func (b *bench) idle() error {
	for _, n := range []int{10_000, 100_000} {
		dir, err := b.repository(fmt.Sprintf("idle-%d", n), n)
		if err != nil {
			return err
		}
		state := filepath.Join(b.dir, fmt.Sprintf("idle-state-%d", n))
		began := time.Now()
		a, err := b.agent(dir, "--state", state)
		if err != nil {
			return err
		}
		first := time.Since(began)
		time.Sleep(3 * time.Second) // it keeps what it parsed for the next start
		a.stop()
		began = time.Now()
		if a, err = b.agent(dir, "--state", state); err != nil {
			return err
		}
		again := time.Since(began)
		time.Sleep(5 * time.Second)
		before, err := cpu(a.cmd.Process.Pid)
		if err != nil {
			return err
		}
		const watch = 20 * time.Second
		time.Sleep(watch)
		after, err := cpu(a.cmd.Process.Pid)
		if err != nil {
			return err
		}
		rss, peak, err := memory(a.cmd.Process.Pid)
		if err != nil {
			return err
		}
		a.stop()
		what := fmt.Sprintf("%d idle tasks, ", n)
		b.add(what+"first start to ready", fmt.Sprintf("%.1f s", first.Seconds()), "", "", "")
		b.add(what+"restart to ready", fmt.Sprintf("%.1f s", again.Seconds()), "", "", "≤ 5 s")
		b.add(what+"memory (peak)", fmt.Sprintf("%d MB (%d)", rss>>20, peak>>20), "", "", "≤ 300 MB")
		b.add(what+"processor", fmt.Sprintf("%.2f %%", 100*(after-before).Seconds()/watch.Seconds()), "", "", "< 0.5 %")
	}
	return nil
}

// cpu is the processor time of a process so far. The kernel counts in hundredths.
func cpu(pid int) (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	user, err := strconv.Atoi(fields[11])
	if err != nil {
		return 0, err
	}
	system, err := strconv.Atoi(fields[12])
	return time.Duration(user+system) * 10 * time.Millisecond, err
}

// memory is a process's resident memory now and at most, in bytes.
func memory(pid int) (now, peak int64, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, 0, err
	}
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		n, _ := strconv.ParseInt(fields[1], 10, 64)
		switch fields[0] {
		case "VmRSS:":
			now = n << 10
		case "VmHWM:":
			peak = n << 10
		}
	}
	return now, peak, nil
}
