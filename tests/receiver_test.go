package tests

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// A receiver stands in for Mattermost: it takes posts to /hooks/NAME.
type receiver struct {
	*httptest.Server
	// Answer decides on each post before it counts; nil takes all. It returns
	// a status, and whether the post counts as received.
	Answer func(text string) (status int, received bool)

	mu    sync.Mutex
	posts []post
	more  chan struct{}
}

type post struct {
	Hook    string
	Text    string `json:"text"`
	Channel string `json:"channel"`
}

func newReceiver(t testing.TB) *receiver {
	r := &receiver{more: make(chan struct{}, 1)}
	r.Server = httptest.NewServer(r)
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	var p post
	text, err := io.ReadAll(req.Body)
	if err == nil {
		err = json.Unmarshal(text, &p)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	p.Hook = strings.TrimPrefix(req.URL.Path, "/hooks/")
	status, received := http.StatusOK, true
	r.mu.Lock()
	answer := r.Answer
	r.mu.Unlock()
	if answer != nil {
		status, received = answer(p.Text)
	}
	if received {
		r.mu.Lock()
		r.posts = append(r.posts, p)
		r.mu.Unlock()
		select {
		case r.more <- struct{}{}:
		default:
		}
	}
	if status == 0 {
		panic(http.ErrAbortHandler) // the connection is lost before the answer
	}
	w.WriteHeader(status)
	_, _ = io.WriteString(w, "ok")
}

func (r *receiver) all() []post {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.posts)
}

// await waits for a post that holds all the words, and returns it.
func (r *receiver) await(t testing.TB, words ...string) post {
	t.Helper()
	deadline := time.After(60 * time.Second)
	for {
		for _, p := range r.all() {
			if !slices.ContainsFunc(words, func(word string) bool { return !strings.Contains(p.Text, word) }) {
				return p
			}
		}
		select {
		case <-r.more:
		case <-deadline:
			t.Fatalf("no post with %q in %q", words, r.all())
		}
	}
}

// count is how many posts hold all the words.
func (r *receiver) count(words ...string) int {
	n := 0
	for _, p := range r.all() {
		if !slices.ContainsFunc(words, func(word string) bool { return !strings.Contains(p.Text, word) }) {
			n++
		}
	}
	return n
}
