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
	"time"
)

// The environment variables through which a script finds its agent.
const (
	EnvSocket = "AGENT_RUN_SOCKET"
	EnvToken  = "AGENT_RUN_TOKEN"
	EnvBinary = "AGENT_RUN_BIN" // this binary, which the Bash functions call
)

// ErrNotInRun is what [Send] fails with outside a run.
var ErrNotInRun = errors.New("not inside a run\nuse it in a task's script, or run the task with `agent exec`")

// Send asks the agent behind the socket to send a notice, as the run that the
// token belongs to. When it returns nil the notice is stored.
func Send(ctx context.Context, socket, token string, n Notice) error {
	if socket == "" || token == "" {
		return ErrNotInRun
	}
	body, err := json.Marshal(n)
	if err != nil {
		return fmt.Errorf("encode notice: %w", err)
	}
	client := &http.Client{
		Timeout: time.Minute,
		Transport: &http.Transport{
			DisableKeepAlives: true,
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, "unix", socket)
			},
		},
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://agent/v1/notices", bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("make request: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("reach the agent: %w\nis it gone? This script may outlive it", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusCreated {
		return nil
	}
	var problem struct{ Detail string }
	if err := json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&problem); err != nil || problem.Detail == "" {
		return fmt.Errorf("the agent answered %s", resp.Status)
	}
	return errors.New(problem.Detail)
}
