package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"
)

// The environment variables through which a script finds its agent.
const (
	EnvSocket = "AGENT_RUN_SOCKET"
	EnvToken  = "AGENT_RUN_TOKEN"
	EnvBinary = "AGENT_RUN_BIN" // this binary, which the Bash functions call
)

// What a [Client] fails with outside a run, and for a key of the state that is not there.
var (
	ErrNotInRun = errors.New("not inside a run\nuse it in a task's script, or run the task with `agent exec`")
	ErrNotSet   = errors.New("not set")
)

// A Client asks the agent behind the socket, as the run that the token belongs
// to. When a method returns nil, what it asked for is stored.
type Client struct {
	Socket, Token string
}

// Send sends a notice.
func (c Client) Send(ctx context.Context, n Notice) error {
	body, err := json.Marshal(n)
	if err != nil {
		return fmt.Errorf("encode notice: %w", err)
	}
	_, err = c.ask(ctx, http.MethodPost, "/v1/notices", body)
	return err
}

// State returns what the task remembers under a key, as JSON. It fails with
// [ErrNotSet] when there is nothing.
func (c Client) State(ctx context.Context, key string) ([]byte, error) {
	return c.ask(ctx, http.MethodGet, "/v1/state?key="+url.QueryEscape(key), nil)
}

// SetState makes the task remember a value, which is JSON, or forget it if it is nil.
func (c Client) SetState(ctx context.Context, key string, value []byte) error {
	method := http.MethodPut
	if value == nil {
		method = http.MethodDelete
	}
	_, err := c.ask(ctx, method, "/v1/state?key="+url.QueryEscape(key), value)
	return err
}

func (c Client) ask(ctx context.Context, method, path string, body []byte) ([]byte, error) {
	if c.Socket == "" || c.Token == "" {
		return nil, ErrNotInRun
	}
	client := &http.Client{
		Timeout: time.Minute,
		Transport: &http.Transport{
			DisableKeepAlives: true,
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, "unix", c.Socket)
			},
		},
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://agent"+path, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+c.Token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("reach the agent: %w\nis it gone? This script may outlive it", err)
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusOK, http.StatusCreated, http.StatusNoContent:
		answer, err := io.ReadAll(resp.Body)
		if err != nil {
			return nil, fmt.Errorf("reach the agent: %w", err)
		}
		return answer, nil
	case http.StatusNotFound:
		return nil, ErrNotSet
	}
	var problem struct{ Detail string }
	if err := json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&problem); err != nil || problem.Detail == "" {
		return nil, fmt.Errorf("the agent answered %s", resp.Status)
	}
	return nil, errors.New(problem.Detail)
}
