package tests

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	protocol "github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	cdp "github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/apimeld/agent/tests/need"
)

// A browser is a real Chromium, whose complaints are kept.
type browser struct {
	ctx context.Context
	mu  sync.Mutex
	bad []string
}

func newBrowser(t *testing.T) *browser {
	t.Helper()
	path := need.Program(t, "chromium", "chromium", "chromium-browser", "google-chrome")
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("no-first-run", true), chromedp.Flag("disable-sync", true))
	allocator, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(cancel)
	b := &browser{}
	ctx, cancel := chromedp.NewContext(allocator, chromedp.WithListener(func(e any) {
		b.mu.Lock()
		defer b.mu.Unlock()
		switch e := e.(type) {
		case *cdp.EventExceptionThrown:
			b.bad = append(b.bad, e.ExceptionDetails.Text)
		case *log.EventEntryAdded: // violations of the Content-Security-Policy among them
			if e.Entry.Level == log.EntryLevelError {
				b.bad = append(b.bad, e.Entry.Text)
			}
		}
	}))
	t.Cleanup(cancel)
	// The first call starts the browser, and must not have a timeout.
	if err := chromedp.Do(ctx); err != nil {
		t.Fatal(err)
	}
	ctx, cancel = context.WithTimeout(ctx, 2*time.Minute)
	t.Cleanup(cancel)
	b.ctx = ctx
	return b
}

func (b *browser) do(t *testing.T, what string, actions ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	if err := chromedp.Do(b.ctx, actions...); err != nil {
		b.shoot(t, "failure.png")
		t.Fatalf("%s: %v", what, err)
	}
}

// shoot keeps a picture where AGENT_TEST_PICTURES names a folder.
func (b *browser) shoot(t *testing.T, name string) {
	dir := os.Getenv("AGENT_TEST_PICTURES")
	if dir == "" {
		return
	}
	if picture, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot()); err == nil {
		if err := os.WriteFile(filepath.Join(dir, name), picture, 0o644); err != nil {
			t.Error(err)
		}
	}
}

func (b *browser) text(t *testing.T) string {
	t.Helper()
	return evaluate[string](t, b, `document.body ? document.body.innerText : ""`)
}

func evaluate[T any](t *testing.T, b *browser, expression string) T {
	t.Helper()
	v, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		t.Fatalf("%s: %v", expression, err)
	}
	return v
}

func (b *browser) await(t *testing.T, want string) {
	t.Helper()
	await(t, want+" on the page", func() (string, bool) { text := b.text(t); return text, strings.Contains(text, want) })
}

// TestPages uses the pages as a person does, with and without scripts.
func TestPages(t *testing.T) {
	mattermost := newReceiver(t)
	dir := folder(t, map[string]string{
		"hooks.yaml": webhook,
		"tasks.yaml": task("Long Job", "script: |\n  for i in 1 2 3 4 5 6; do echo \"part $i of 6\"; sleep 0.4; done") + "---\n" + task("Other", "schedule: '0 2 * * *'\nscript: echo"),
	})
	a := newInstance(t, dir, []string{opsURL(mattermost)}).ready()
	b := newBrowser(t)

	b.do(t, "open tasks", chromedp.EmulateViewport(1100, 800), chromedp.Navigate(a.URL+"/"))
	b.await(t, "Long Job")
	b.await(t, "Other")
	b.shoot(t, "tasks.png")
	b.do(t, "open a task", chromedp.Click(chromedp.CSS(`a[href="/tasks/long-job"]`)), chromedp.WaitVisible(chromedp.CSS(`form[action="/tasks/long-job/run"] button`)))
	b.do(t, "run it", chromedp.Click(chromedp.CSS(`form[action="/tasks/long-job/run"] button`)))
	// The log grows on the open page, without a reload.
	b.await(t, "part 1 of 6")
	evaluate[bool](t, b, `window.marked = true`)
	b.await(t, "part 2 of 6")
	if text := b.text(t); strings.Contains(text, "part 6 of 6") {
		t.Error("the log came at once, not live")
	}
	b.await(t, "part 6 of 6")
	b.await(t, "Success")
	if !evaluate[bool](t, b, `window.marked === true`) {
		t.Error("the page was loaded anew to show the log")
	}
	b.await(t, "Ops Channel")
	b.shoot(t, "run.png")

	b.do(t, "open webhooks", chromedp.Navigate(a.URL+"/webhooks"), chromedp.WaitVisible(chromedp.CSS(`form[action$="/test"] button`)))
	b.do(t, "press Test", chromedp.Click(chromedp.CSS(`form[action$="/test"] button`)))
	mattermost.await(t, "ApiMeld — Test Message")
	b.await(t, "was delivered")
	b.shoot(t, "webhooks.png")

	// A bad change is told on the page of revisions.
	writeFiles(t, dir, map[string]string{"bad.yaml": "kind: Task\nnam: x\n"})
	b.do(t, "open revisions", chromedp.Navigate(a.URL+"/revisions"))
	b.await(t, `unknown key "nam"`) // the open page follows
	b.await(t, "did you mean name?")
	b.shoot(t, "revisions.png")

	// On a phone nothing is wider than the screen, in the dark.
	for _, page := range []string{"/", "/tasks/long-job", "/runs", "/runs/long-job%231", "/revisions", "/webhooks"} {
		b.do(t, "open "+page+" on a phone", chromedp.EmulateViewport(390, 844, chromedp.EmulateMobile),
			call(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: "dark"}}}),
			chromedp.Navigate(a.URL+page))
		if width := evaluate[int](t, b, `document.documentElement.scrollWidth`); width > 390 {
			t.Errorf("%s is %d wide on a phone", page, width)
		}
		b.shoot(t, "phone-"+strings.NewReplacer("/", "_", "%", "_").Replace(page)+".png")
	}
	b.mu.Lock()
	for _, bad := range b.bad {
		t.Errorf("the browser complains: %s", bad)
	}
	b.bad = nil
	b.mu.Unlock()

	// Without scripts the buttons work all the same.
	b.do(t, "switch scripts off", call(emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true}), chromedp.EmulateViewport(1100, 800), chromedp.Navigate(a.URL+"/tasks/long-job"))
	answer := postForm(t, a.URL+"/tasks/long-job/run", a.URL)
	if answer != 200 {
		t.Errorf("Run now answers %d", answer)
	}
	a.awaitRun("long-job#2")
}

// call is an action that sends a command of the browser's protocol.
func call[P any](command protocol.Command[P, protocol.Empty], params P) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := protocol.Call(ctx, t, command, params)
		return err
	})
}
