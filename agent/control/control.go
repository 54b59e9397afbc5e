// Package control is what a running script talks to: HTTP over a Unix socket,
// with a token for each run.
//
// Scripts send messages, and read and write what their task remembers. It knows
// who asks and what is asked, and hands that on. It stores nothing
// and sends nothing itself, and a script never learns a webhook's URL from it.
package control

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// maxBody bounds a request. A text of 1 MiB may grow sixfold as JSON.
const maxBody = 8 << 20

// maxSocketPath is the longest path that a socket's address holds: sun_path
// has 108 bytes on Linux and 104 on macOS, a NUL among them.
const maxSocketPath = 103

// A Notice is what a script asks to send.
type Notice struct {
	Webhook string `json:"webhook"`           // the webhook's name
	Text    string `json:"text"`              // Markdown
	Channel string `json:"channel,omitempty"` // instead of the webhook's; may be empty
}

// An Agent does what a run's script asks for. What it returns without an error
// is durable; a [*RefusedError]'s text is for the script's author.
type Agent interface {
	// Speak stores a notice and returns its id.
	Speak(ctx context.Context, runID string, n Notice) (id string, err error)
	// State returns what the run's task remembers under a key, as JSON; nil
	// when there is nothing.
	State(ctx context.Context, runID, key string) ([]byte, error)
	// SetState makes the run's task remember a value, which is JSON; nil
	// makes it forget.
	SetState(ctx context.Context, runID, key string, value []byte) error
}

// A RefusedError is an answer that no repetition changes.
type RefusedError struct {
	Title  string // such as "unknown webhook"
	Detail string // what the author reads
}

func (e *RefusedError) Error() string { return e.Detail }

// A Server answers the scripts of one agent.
type Server struct {
	path  string
	dir   string // made for the socket, and removed with it; may be empty
	agent Agent
	log   *slog.Logger
	http  *http.Server

	mu     sync.RWMutex
	tokens map[string]string // token to run id
}

// Listen starts answering at a socket in dir, or in a folder of its own under
// the system's temporary one when dir's path is too long for a socket.
func Listen(dir string, agent Agent, log *slog.Logger) (*Server, error) {
	s := &Server{agent: agent, log: log, tokens: map[string]string{}}
	s.path = filepath.Join(dir, "agent.sock")
	if len(s.path) > maxSocketPath {
		short, err := os.MkdirTemp("", "agent-")
		if err != nil {
			return nil, fmt.Errorf("create folder for control socket: %w", err)
		}
		s.dir, s.path = short, filepath.Join(short, "agent.sock")
	}
	// What a killed agent left behind; the state's lock says that nobody else listens there.
	if err := os.Remove(s.path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("remove old control socket: %w", err)
	}
	l, err := net.Listen("unix", s.path)
	if err != nil {
		return nil, fmt.Errorf("listen on control socket %s: %w", s.path, err)
	}
	if err := os.Chmod(s.path, 0o600); err != nil {
		l.Close()
		return nil, fmt.Errorf("protect control socket: %w", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/notices", s.notices)
	mux.HandleFunc("GET /v1/state", s.getState)
	mux.HandleFunc("PUT /v1/state", s.setState)
	mux.HandleFunc("DELETE /v1/state", s.setState)
	s.http = &http.Server{
		Handler:           mux,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       time.Minute,
		IdleTimeout:       time.Minute,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	go func() {
		if err := s.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			log.Error("control socket ended", "error", err)
		}
	}()
	return s, nil
}

// Path is the socket's.
func (s *Server) Path() string { return s.path }

// Register returns the token with which the run's script is known until the
// returned function is called.
func (s *Server) Register(runID string) (token string, release func()) {
	token = rand.Text()
	s.mu.Lock()
	s.tokens[token] = runID
	s.mu.Unlock()
	return token, func() {
		s.mu.Lock()
		delete(s.tokens, token)
		s.mu.Unlock()
	}
}

// Close answers what is under way, until ctx ends, and removes the socket.
func (s *Server) Close(ctx context.Context) error {
	err := s.http.Shutdown(ctx)
	if s.dir != "" {
		err = errors.Join(err, os.RemoveAll(s.dir))
	}
	if err != nil {
		return fmt.Errorf("close control socket: %w", err)
	}
	return nil
}

func (s *Server) notices(w http.ResponseWriter, r *http.Request) {
	runID, ok := s.whose(w, r)
	if !ok {
		return
	}
	var n Notice
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	d.DisallowUnknownFields()
	if err := d.Decode(&n); err != nil {
		if _, large := errors.AsType[*http.MaxBytesError](err); large {
			refuse(w, http.StatusRequestEntityTooLarge, "text too long", fmt.Sprintf("the request is larger than %d MiB", maxBody>>20))
			return
		}
		refuse(w, http.StatusBadRequest, "bad request", "read request: "+err.Error())
		return
	}
	if strings.TrimSpace(n.Text) == "" {
		refuse(w, http.StatusUnprocessableEntity, "empty text", "the text to send is empty")
		return
	}
	id, err := s.agent.Speak(r.Context(), runID, n)
	if err != nil {
		s.refused(w, runID, "store a script's notice", err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusCreated)
	// The script may be gone already; the notice is stored all the same.
	_ = json.NewEncoder(w).Encode(map[string]string{"id": id})
}

// whose is the run whose script asks; else it has answered.
func (s *Server) whose(w http.ResponseWriter, r *http.Request) (runID string, ok bool) {
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	s.mu.RLock()
	runID, ok = s.tokens[token]
	s.mu.RUnlock()
	if !ok {
		refuse(w, http.StatusUnauthorized, "unknown run", "the run that this script belongs to is over")
	}
	return runID, ok
}

// refused answers with what the agent said.
func (s *Server) refused(w http.ResponseWriter, runID, what string, err error) {
	if refused, ok := errors.AsType[*RefusedError](err); ok {
		refuse(w, http.StatusUnprocessableEntity, refused.Title, refused.Detail)
		return
	}
	s.log.Error(what, "run", runID, "error", err)
	refuse(w, http.StatusInternalServerError, "not stored", "the agent could not "+what+"; its log says why")
}

// refuse answers with RFC 9457 problem details.
func refuse(w http.ResponseWriter, status int, title, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"title": title, "status": status, "detail": detail})
}
