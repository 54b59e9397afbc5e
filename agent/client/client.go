// Package client speaks to a running agent over its API.
//
// It owns the requests and what their errors say; the documents are those of
// package api. It prints nothing and keeps nothing.
package client

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/apimeld/agent/agent/api"
)

// DefaultServer is where an agent listens unless it is told otherwise.
const DefaultServer = "http://127.0.0.1:8080"

// A Config configures a [Client].
type Config struct {
	Server   string // URL of the agent; empty: [DefaultServer]
	Password string // the agent's password; empty: none
	CAFile   string // PEM certificates trusted beside the system's; may be empty
	// HTTPClient sends the requests; nil: one of its own, with the usual proxy
	// variables. It must not have a Timeout, which would cut what is followed.
	HTTPClient *http.Client
	UserAgent  string // empty: apimeld-agent
}

// A Client speaks to one agent. It is safe for concurrent use.
type Client struct {
	server   *url.URL
	password string
	agent    string
	http     *http.Client
	pause    time.Duration // before the first reconnect; it doubles
}

// New returns a client. It does not connect yet.
func New(c Config) (*Client, error) {
	if c.Server == "" {
		c.Server = DefaultServer
	}
	u, err := url.Parse(c.Server)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("read server %q: it must be an http or https URL\nsuch as %s", c.Server, DefaultServer)
	}
	u.Path, u.RawQuery, u.Fragment = strings.TrimSuffix(u.Path, "/"), "", ""
	if password, ok := u.User.Password(); ok && c.Password == "" {
		c.Password = password
	}
	u.User = nil // it must not be in an error
	if c.UserAgent == "" {
		c.UserAgent = "apimeld-agent"
	}
	if c.HTTPClient == nil {
		transport := http.DefaultTransport.(*http.Transport).Clone()
		if c.CAFile != "" {
			if transport.TLSClientConfig, err = trust(c.CAFile); err != nil {
				return nil, err
			}
		}
		c.HTTPClient = &http.Client{Transport: transport}
	}
	return &Client{server: u, password: c.Password, agent: c.UserAgent, http: c.HTTPClient, pause: 500 * time.Millisecond}, nil
}

func trust(file string) (*tls.Config, error) {
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read certificates: %w\nname a PEM file", err)
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("read certificates: %s holds no PEM certificate\nname a PEM file", file)
	}
	return &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}, nil
}

// An Error is the agent's answer to a request that it could not fulfil. It
// matches the errors of package api.
type Error struct {
	api.ProblemDetails
}

// Error is what happened and, on a line of its own, the way out.
func (e *Error) Error() string {
	text := e.Detail
	if text == "" {
		text = e.Title
	}
	if e.Hint != "" {
		text += "\n" + e.Hint
	}
	return text
}

// Unwrap returns the error of package api that the agent met, if it is known.
func (e *Error) Unwrap() error { return e.Err() }

// do sends a request and returns an answer that is good; its body must be closed.
func (c *Client) do(ctx context.Context, method, path string, query url.Values, body []byte) (*http.Response, error) {
	// path is escaped already: a run's label has a # in it.
	address := c.server.String() + api.Prefix + path
	if len(query) > 0 {
		address += "?" + query.Encode()
	}
	request, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	request.Header.Set("User-Agent", c.agent)
	if c.password != "" {
		request.Header.Set("Authorization", "Bearer "+c.password)
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/octet-stream")
	}
	answer, err := c.http.Do(request)
	if err != nil {
		return nil, c.unreachable(err)
	}
	if answer.StatusCode < 300 {
		return answer, nil
	}
	defer answer.Body.Close()
	return nil, c.refused(answer)
}

// maxProblem bounds how much of an error's document is read.
const maxProblem = 1 << 20

// refused turns an answer that is not good into an error.
func (c *Client) refused(answer *http.Response) error {
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxProblem))
	var e Error
	if err == nil && strings.HasPrefix(answer.Header.Get("Content-Type"), api.ProblemType) && json.Unmarshal(text, &e.ProblemDetails) == nil && e.Status != 0 {
		return &e
	}
	e = Error{api.ProblemDetails{
		Title:  http.StatusText(answer.StatusCode),
		Status: answer.StatusCode,
		Detail: fmt.Sprintf("%s answered %s, and not as an agent does", c.server, answer.Status),
		Hint:   "is that the address of an agent, or of something before it?",
	}}
	return &e
}

// unreachable explains why there was no answer.
func (c *Client) unreachable(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err // the rest repeats method and address
	}
	hint := ""
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.Is(err, syscall.ECONNREFUSED):
		hint = "\nis the agent running? start it with: agent run SOURCE, or name another with --server"
	default:
		if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
			hint = "\nname the file of its certificate authority with --ca-file"
		}
	}
	return fmt.Errorf("reach agent at %s: %w%s", c.server, err, hint)
}

// get asks for a document.
func get[T any](ctx context.Context, c *Client, method, path string, query url.Values, body []byte) (T, error) {
	var document T
	answer, err := c.do(ctx, method, path, query, body)
	if err != nil {
		return document, err
	}
	defer answer.Body.Close()
	if err := json.NewDecoder(answer.Body).Decode(&document); err != nil {
		return document, fmt.Errorf("read answer of %s: %w", c.server, err)
	}
	return document, nil
}

// A TaskQuery narrows a list of tasks.
type TaskQuery struct {
	Text   string   // words that a task's name, id or description holds
	Labels []string // KEY=VALUE, or KEY for any value
	Cursor string
	Limit  int // 0: the agent's default
}

// Tasks lists tasks by name.
func (c *Client) Tasks(ctx context.Context, q TaskQuery) (api.Page[api.Task], error) {
	v := page(q.Cursor, q.Limit)
	if q.Text != "" {
		v.Set("q", q.Text)
	}
	if len(q.Labels) > 0 {
		v["label"] = q.Labels
	}
	return get[api.Page[api.Task]](ctx, c, http.MethodGet, "/tasks", v, nil)
}

// Task is one task, with its next starts.
func (c *Client) Task(ctx context.Context, id string) (api.Task, error) {
	return get[api.Task](ctx, c, http.MethodGet, "/tasks/"+url.PathEscape(id), nil, nil)
}

// Trigger makes a run of a task now. The payload may be nil.
func (c *Client) Trigger(ctx context.Context, task string, payload []byte) (api.Run, error) {
	return get[api.Run](ctx, c, http.MethodPost, "/tasks/"+url.PathEscape(task)+"/runs", nil, payload)
}

// A RunQuery narrows a list of runs.
type RunQuery struct {
	Task     string   // its id; empty: all tasks
	States   []string // empty: all
	Attempts bool     // with each run's attempts
	Notices  bool     // with each run's notices and their deliveries
	Cursor   string
	Limit    int // 0: the agent's default
}

// Runs lists runs, newest first.
func (c *Client) Runs(ctx context.Context, q RunQuery) (api.Page[api.Run], error) {
	v := page(q.Cursor, q.Limit)
	if q.Task != "" {
		v.Set("task", q.Task)
	}
	if len(q.States) > 0 {
		v.Set("state", strings.Join(q.States, ","))
	}
	if q.Attempts {
		v.Add("include", "attempts")
	}
	if q.Notices {
		v.Add("include", "notices")
	}
	return get[api.Page[api.Run]](ctx, c, http.MethodGet, "/runs", v, nil)
}

// Run is one run with its attempts and notices. ref is an id, a unique
// beginning of one, or TASK#NUMBER.
func (c *Client) Run(ctx context.Context, ref string) (api.Run, error) {
	return get[api.Run](ctx, c, http.MethodGet, runPath(ref), nil, nil)
}

// Cancel ends a run, and returns it as it stood at that moment.
func (c *Client) Cancel(ctx context.Context, ref string) (api.Run, error) {
	return get[api.Run](ctx, c, http.MethodPost, runPath(ref)+"/cancel", nil, nil)
}

// Notices lists a run's notices with their deliveries.
func (c *Client) Notices(ctx context.Context, ref string) (api.Page[api.Notice], error) {
	return get[api.Page[api.Notice]](ctx, c, http.MethodGet, runPath(ref)+"/notices", nil, nil)
}

// Revisions lists revisions, newest first. A limit of 0 is the agent's default.
func (c *Client) Revisions(ctx context.Context, cursor string, limit int) (api.Page[api.Revision], error) {
	return get[api.Page[api.Revision]](ctx, c, http.MethodGet, "/revisions", page(cursor, limit), nil)
}

// Webhooks lists all webhooks of the live revision.
func (c *Client) Webhooks(ctx context.Context) ([]api.Webhook, error) {
	p, err := get[api.Page[api.Webhook]](ctx, c, http.MethodGet, "/webhooks", nil, nil)
	return p.Items, err
}

// TestWebhook sends a webhook's test message now. A message that did not
// arrive is no error: the result says so.
func (c *Client) TestWebhook(ctx context.Context, name string) (api.DeliveryResult, error) {
	return get[api.DeliveryResult](ctx, c, http.MethodPost, "/webhooks/"+url.PathEscape(name)+"/test", nil, nil)
}

// Status says how the agent is doing.
func (c *Client) Status(ctx context.Context) (api.Status, error) {
	return get[api.Status](ctx, c, http.MethodGet, "/status", nil, nil)
}

// Sync makes the agent look at its source now, and waits for what that comes to.
func (c *Client) Sync(ctx context.Context) (api.SyncResult, error) {
	return get[api.SyncResult](ctx, c, http.MethodPost, "/sync", nil, nil)
}

func runPath(ref string) string { return "/runs/" + url.PathEscape(ref) }

func page(cursor string, limit int) url.Values {
	v := url.Values{}
	if cursor != "" {
		v.Set("cursor", cursor)
	}
	if limit > 0 {
		v.Set("limit", strconv.Itoa(limit))
	}
	return v
}
