package app

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/apimeld/agent/agent/web"
)

// httpClient is the one for webhooks: the system's certificates and those of
// caFile, and the proxy variables.
func httpClient(caFile string) (*http.Client, error) {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	if caFile != "" {
		pem, err := os.ReadFile(caFile)
		if err != nil {
			return nil, fmt.Errorf("read certificates: %w\nname a PEM file with --ca-file", err)
		}
		pool, err := x509.SystemCertPool()
		if err != nil {
			pool = x509.NewCertPool()
		}
		if !pool.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("read certificates: %s holds no PEM certificate\nname a PEM file with --ca-file", caFile)
		}
		transport.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	return &http.Client{Transport: transport}, nil
}

// listen takes the address, and works out how people reach it.
func (a *App) listen() error {
	l, err := net.Listen("tcp", a.options.Listen)
	if err != nil {
		return fmt.Errorf("listen on %s: %w\nname another address with --listen, or end the program that has it", a.options.Listen, err)
	}
	a.listener = l
	a.publicURL = strings.TrimSuffix(a.options.PublicURL, "/")
	if a.publicURL == "" {
		a.publicURL = a.localURL()
	}
	return nil
}

// localURL is how this machine itself reaches the pages.
func (a *App) localURL() string {
	scheme := "http"
	if a.options.TLSCert != "" {
		scheme = "https"
	}
	host, port, _ := net.SplitHostPort(a.listener.Addr().String())
	if ip := net.ParseIP(host); ip == nil || ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return scheme + "://" + net.JoinHostPort(host, port)
}

// serve makes the server for pages and API.
func (a *App) serve() error {
	loopback, err := isLoopback(a.options.Listen)
	if err != nil {
		return err
	}
	password := func() string { return "" }
	if file := a.options.PasswordFile; file != "" {
		if _, err := readPassword(file); err != nil {
			return err
		}
		// Read at each use, so that a rotated password counts at once.
		last := ""
		password = func() string {
			if p, err := readPassword(file); err == nil {
				last = p
			}
			return last
		}
		last = password()
	}
	handler, err := web.New(web.Config{
		Store:     a.store,
		Agent:     &facade{a},
		PublicURL: a.publicURL,
		Password:  password,
		Loopback:  loopback,
		Inbox:     a.inbox,
		Version:   a.options.Version,
		Log:       a.log,
	})
	if err != nil {
		return err
	}
	a.server = &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       time.Minute,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(a.log.Handler(), slog.LevelDebug),
	}
	if a.options.TLSCert == "" {
		return nil
	}
	if _, err := tls.LoadX509KeyPair(a.options.TLSCert, a.options.TLSKey); err != nil {
		return fmt.Errorf("read TLS certificate: %w\nname PEM files with --tls-cert and --tls-key", err)
	}
	a.listener = tls.NewListener(a.listener, &tls.Config{
		MinVersion: tls.VersionTLS12,
		NextProtos: []string{"h2", "http/1.1"},
		// Read at each handshake: a renewed certificate counts without a restart.
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			c, err := tls.LoadX509KeyPair(a.options.TLSCert, a.options.TLSKey)
			return &c, err
		},
	})
	return nil
}

// minPassword is the shortest password that is accepted, in bytes.
const minPassword = 12

func readPassword(file string) (string, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("read password: %w\nname a file that holds the password with --password-file", err)
	}
	p := strings.TrimSpace(string(b))
	if len(p) < minPassword {
		return "", fmt.Errorf("read password: the one in %s is shorter than %d characters\nmake one with: openssl rand -base64 24", file, minPassword)
	}
	return p, nil
}
