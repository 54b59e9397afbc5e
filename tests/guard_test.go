package tests

import (
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apimeld/agent/agent/client"
)

// postForm sends a form as a page of origin does, and returns the final status.
func postForm(t testing.TB, address, origin string) int {
	t.Helper()
	request, err := http.NewRequest(http.MethodPost, address, strings.NewReader(url.Values{}.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if origin != "" {
		request.Header.Set("Origin", origin)
	}
	return status(t, request)
}

func status(t testing.TB, request *http.Request) int {
	t.Helper()
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	return answer.StatusCode
}

// TestGuard tries to push buttons from where nobody may.
func TestGuard(t *testing.T) {
	a := newInstance(t, folder(t, map[string]string{"t.yaml": "kind: Task\nname: T\nscript: echo\n"}), nil).ready()
	for what, tt := range map[string]struct {
		change func(*http.Request)
		want   int
	}{
		"a page elsewhere":       {func(r *http.Request) { r.Header.Set("Origin", "https://evil.example.com") }, 403},
		"a page on this host":    {func(r *http.Request) { r.Header.Set("Origin", "http://127.0.0.1:1") }, 403},
		"a frame":                {func(r *http.Request) { r.Header.Set("Origin", "null") }, 403},
		"a site without Origin":  {func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") }, 403},
		"a name that leads here": {func(r *http.Request) { r.Host = "evil.example.com" }, 403},
		"a page of the agent":    {func(r *http.Request) { r.Header.Set("Origin", a.URL) }, 200},
	} {
		for _, path := range []string{"/tasks/t/run", "/api/v1/tasks/t/runs", "/api/v1/sync", "/hooks/tasks/t", "/hooks/git"} {
			request, err := http.NewRequest(http.MethodPost, a.URL+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			tt.change(request)
			got := status(t, request)
			if tt.want == 200 && got >= 400 || tt.want != 200 && got < 400 {
				t.Errorf("%s: POST %s answers %d", what, path, got)
			}
		}
	}
	// A name that leads here must not even read.
	request, _ := http.NewRequest(http.MethodGet, a.URL+"/api/v1/tasks", nil)
	request.Host = "evil.example.com"
	if got := status(t, request); got < 400 {
		t.Errorf("another name reads: %d", got)
	}
	answer, err := http.Get(a.URL + "/")
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	policy := answer.Header.Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'none'", "frame-ancestors 'none'"} {
		if !strings.Contains(policy, want) {
			t.Errorf("Content-Security-Policy is %q", policy)
		}
	}
	if strings.Contains(policy, "unsafe") {
		t.Errorf("Content-Security-Policy is %q", policy)
	}
}

// TestPassword listens beyond loopback.
func TestPassword(t *testing.T) {
	const password = "correct horse battery"
	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte(password+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	a := newInstance(t, folder(t, map[string]string{"t.yaml": "kind: Task\nname: T\nscript: echo\n"}), nil, "--password-file", file)
	for i, arg := range a.args {
		if arg == "--listen" {
			a.args[i+1] = strings.Replace(a.args[i+1], "127.0.0.1", "0.0.0.0", 1)
		}
	}
	var err error
	if a.Client, err = client.New(client.Config{Server: a.URL, Password: password}); err != nil {
		t.Fatal(err)
	}
	a.ready()
	for _, path := range []string{"/", "/runs", "/api/v1/tasks", "/metrics", "/inbox", "/assets/x"} {
		request, _ := http.NewRequest(http.MethodGet, a.URL+path, nil)
		if got := status(t, request); got != 401 {
			t.Errorf("%s answers %d without a password", path, got)
		}
	}
	if got := postForm(t, a.URL+"/hooks/git", ""); got < 400 {
		t.Errorf("an unsigned push answers %d beyond loopback", got)
	}
	basic, _ := http.NewRequest(http.MethodGet, a.URL+"/", nil)
	basic.SetBasicAuth("anybody", password)
	if got := status(t, basic); got != 200 {
		t.Errorf("HTTP Basic answers %d", got)
	}
	bearer, _ := http.NewRequest(http.MethodGet, a.URL+"/api/v1/tasks", nil)
	bearer.Header.Set("Authorization", "Bearer "+password)
	if got := status(t, bearer); got != 200 {
		t.Errorf("Bearer answers %d", got)
	}
	wrong, _ := http.NewRequest(http.MethodGet, a.URL+"/api/v1/tasks", nil)
	wrong.Header.Set("Authorization", "Bearer wrong horse battery")
	if got := status(t, wrong); got != 401 {
		t.Errorf("a wrong password answers %d", got)
	}
	if out, code := a.agent("tasks", "--password-file", file); code != 0 || !strings.Contains(out, "T") {
		t.Errorf("%d: %s", code, out)
	}
	noSecretsIn(t, a, password)
}

// noSecretsIn looks for secrets in what an agent has written.
func noSecretsIn(t *testing.T, a *instance, secrets ...string) {
	t.Helper()
	for _, s := range secrets {
		if strings.Contains(a.log(), s) {
			t.Errorf("the agent's log holds %q", s)
		}
	}
}
