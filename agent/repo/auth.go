package repo

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/go-git/go-git/v5/plumbing/transport"
	githttp "github.com/go-git/go-git/v5/plumbing/transport/http"
	gitssh "github.com/go-git/go-git/v5/plumbing/transport/ssh"
	"github.com/skeema/knownhosts"
	"golang.org/x/crypto/ssh"
)

// Auth is how a private repository is reached. Files are read at each use, so
// that a rotated credential counts at once.
type Auth struct {
	User                 string // for HTTP; empty: git, which servers take with a token
	Token                string // or password, for HTTP
	TokenFile            string // holds it, instead
	SSHKeyFile           string // empty: the SSH agent's keys
	SSHKeyPassphraseFile string
	KnownHostsFile       string // empty: ~/.ssh/known_hosts
}

// take moves credentials out of a URL, which is shown and stored.
func (a *Auth) take(source string) string {
	u, err := url.Parse(source)
	if err != nil || u.User == nil || u.Scheme != "http" && u.Scheme != "https" {
		return source
	}
	password, ok := u.User.Password()
	if a.Token == "" && a.TokenFile == "" {
		if ok {
			a.Token = password
		}
		if a.User == "" {
			a.User = u.User.Username()
		}
	}
	if !ok && a.Token == "" && a.TokenFile == "" {
		// A token may stand in the user's place.
		a.Token, a.User = u.User.Username(), ""
	}
	u.User = nil
	return u.String()
}

// method is the credentials for an endpoint; nil where none are needed.
func (a *Auth) method(e *transport.Endpoint) (transport.AuthMethod, error) {
	switch e.Protocol {
	case "http", "https":
		token := a.Token
		if a.TokenFile != "" {
			text, err := os.ReadFile(a.TokenFile)
			if err != nil {
				return nil, fmt.Errorf("read Git token: %w\nname a file that holds it with --git-token-file", err)
			}
			token = strings.TrimSpace(string(text))
		}
		if token == "" {
			return nil, nil
		}
		user := a.User
		if user == "" {
			user = "git"
		}
		return &githttp.BasicAuth{Username: user, Password: token}, nil
	case "ssh":
		return a.ssh(e)
	}
	return nil, nil
}

func (a *Auth) ssh(e *transport.Endpoint) (transport.AuthMethod, error) {
	user := e.User
	if user == "" {
		user = "git"
	}
	hosts, err := a.knownHosts(e)
	if err != nil {
		return nil, err
	}
	if a.SSHKeyFile == "" {
		if os.Getenv("SSH_AUTH_SOCK") == "" {
			return nil, errors.New("find an SSH key: there is no SSH agent\nname a key with --ssh-key-file")
		}
		agent, err := gitssh.NewSSHAgentAuth(user)
		if err != nil {
			return nil, fmt.Errorf("ask SSH agent for keys: %w\nor name a key with --ssh-key-file", err)
		}
		agent.HostKeyCallback = hosts.callback
		return &sshAuth{agent, hosts}, nil
	}
	key, err := os.ReadFile(a.SSHKeyFile)
	if err != nil {
		return nil, fmt.Errorf("read SSH key: %w\nname a private key with --ssh-key-file", err)
	}
	passphrase := ""
	if a.SSHKeyPassphraseFile != "" {
		text, err := os.ReadFile(a.SSHKeyPassphraseFile)
		if err != nil {
			return nil, fmt.Errorf("read passphrase of SSH key: %w\nname a file that holds it with --ssh-key-passphrase-file", err)
		}
		passphrase = strings.TrimRight(string(text), "\r\n")
	}
	keys, err := gitssh.NewPublicKeys(user, key, passphrase)
	if err != nil {
		if _, ok := errors.AsType[*ssh.PassphraseMissingError](err); ok {
			return nil, fmt.Errorf("read SSH key %s: it has a passphrase\nname a file that holds it with --ssh-key-passphrase-file", a.SSHKeyFile)
		}
		return nil, fmt.Errorf("read SSH key %s: %w\nname a private key in OpenSSH's or PEM format", a.SSHKeyFile, err)
	}
	keys.HostKeyCallback = hosts.callback
	return &sshAuth{keys, hosts}, nil
}

// hostKeys is what is known of the host that is to be reached.
type hostKeys struct {
	callback   ssh.HostKeyCallback
	algorithms []string
}

// sshAuth adds the host's keys to a method. go-git by itself asks a host for
// any type of key, and refuses it when known_hosts has another type.
type sshAuth struct {
	gitssh.AuthMethod
	host hostKeys
}

func (a *sshAuth) ClientConfig() (*ssh.ClientConfig, error) {
	c, err := a.AuthMethod.ClientConfig()
	if err != nil {
		return nil, err
	}
	c.HostKeyAlgorithms = a.host.algorithms
	return c, nil
}

func (a *Auth) knownHosts(e *transport.Endpoint) (hostKeys, error) {
	file := a.KnownHostsFile
	if file == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return hostKeys{}, fmt.Errorf("find known_hosts: %w\nname the file with --known-hosts-file", err)
		}
		file = filepath.Join(home, ".ssh", "known_hosts")
	}
	port := e.Port
	if port == 0 {
		port = 22
	}
	address := net.JoinHostPort(e.Host, strconv.Itoa(port))
	unknown := func(key ssh.PublicKey) error {
		return &hostError{fmt.Sprintf("the host key of %s is not known\nmake sure that it is the right one, then add this line to %s:\n%s", e.Host, file, knownhosts.Line([]string{address}, key))}
	}
	db, err := knownhosts.NewDB(file)
	if errors.Is(err, os.ErrNotExist) && a.KnownHostsFile == "" {
		return hostKeys{callback: func(_ string, _ net.Addr, key ssh.PublicKey) error { return unknown(key) }}, nil
	}
	if err != nil {
		return hostKeys{}, fmt.Errorf("read known hosts: %w\nname a file in the format of known_hosts with --known-hosts-file", err)
	}
	check := db.HostKeyCallback()
	return hostKeys{
		algorithms: db.HostKeyAlgorithms(address),
		callback: func(host string, remote net.Addr, key ssh.PublicKey) error {
			err := check(host, remote, key)
			switch {
			case knownhosts.IsHostKeyChanged(err):
				return &hostError{fmt.Sprintf("the host key of %s is another than the one in %s\nsomebody may be in between; if the host was changed on purpose, remove its old line there and add this one:\n%s", e.Host, file, knownhosts.Line([]string{address}, key))}
			case knownhosts.IsHostUnknown(err):
				return unknown(key)
			}
			return err
		},
	}, nil
}

// A hostError is why a host is not trusted.
type hostError struct{ text string }

func (e *hostError) Error() string { return e.text }

// explain gives an error of Git's transport words that say what to do.
func explain(name string, err error) error {
	hint := ""
	switch text := err.Error(); {
	case errors.Is(err, transport.ErrAuthenticationRequired), errors.Is(err, transport.ErrAuthorizationFailed), strings.Contains(text, "unable to authenticate"):
		hint = "the server wants another credential: set --git-token-file for HTTP, or --ssh-key-file for SSH"
	case errors.Is(err, transport.ErrRepositoryNotFound):
		hint = "look at the URL; a private repository may answer so to a credential that may not read it"
	case errors.Is(err, transport.ErrEmptyRemoteRepository):
		hint = "push a first commit: the agent goes on looking"
	case strings.Contains(text, "certificate signed by unknown authority"), strings.Contains(text, "x509:"):
		hint = "name the file of its certificate authority with --ca-file"
	case strings.Contains(text, "the host key of"):
		// The client of x/crypto/ssh wraps the text, not the error.
		return fmt.Errorf("reach %s: %s", name, text[strings.Index(text, "the host key of"):])
	}
	if hint != "" {
		hint = "\n" + hint
	}
	return fmt.Errorf("reach %s: %w%s", name, err, hint)
}
