package web

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"

	"github.com/apimeld/agent/agent/api"
)

// policy is the Content-Security-Policy of every page: nothing from
// elsewhere, nothing inline, in nobody's frame.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// guard stands before all else: it sets what every response carries, and
// turns away who must not ask.
func (h *Handler) guard(next http.Handler) (http.Handler, error) {
	origin := http.NewCrossOriginProtection()
	if h.public.Host != "" {
		// Behind a proxy that sets its own Host, the browser's Origin is still the public one.
		if err := origin.AddTrustedOrigin(h.public.Scheme + "://" + h.public.Host); err != nil {
			return nil, fmt.Errorf("trust public URL: %w", err)
		}
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Content-Security-Policy", policy)
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("Referrer-Policy", "no-referrer")
		header.Set("X-Frame-Options", "DENY")
		header.Set("Cross-Origin-Opener-Policy", "same-origin")
		header.Set("Cross-Origin-Resource-Policy", "same-origin")
		header.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
		switch {
		case !h.hostAllowed(r.Host):
			h.turnAway(w, r, fmt.Errorf("host %q does not name this agent: %w\nopen %s, or start the agent with --public-url", r.Host, api.ErrForbidden, h.PublicURL))
			return
		case origin.Check(r) != nil:
			h.turnAway(w, r, fmt.Errorf("the request comes from another web page: %w\ndo it on the pages of this agent, or from a program", api.ErrForbidden))
			return
		}
		if err := h.authenticate(w, r); err != nil {
			h.turnAway(w, r, err)
			return
		}
		next.ServeHTTP(w, r)
	}), nil
}

// turnAway answers whoever must not ask. Unlike [Handler.fail] it draws no
// page: what a page says about the agent is not for them.
func (h *Handler) turnAway(w http.ResponseWriter, r *http.Request, err error) {
	d := api.Problem(err)
	w.Header().Set("Cache-Control", "no-store")
	if !forPeople(r) {
		d.Instance = r.URL.Path
		writeProblem(w, d)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(d.Status)
	for _, line := range []string{d.Title, d.Detail, d.Hint} {
		if line != "" {
			_, _ = fmt.Fprintln(w, sentence(line)+".")
		}
	}
}

// hostAllowed reports whether a request's Host names this agent. Only a
// loopback listener asks: a page whose own name has been made to point at
// this machine still sends its own name.
func (h *Handler) hostAllowed(hostport string) bool {
	if !h.Loopback {
		return true
	}
	host := hostOf(hostport)
	if host == "localhost" || host != "" && host == hostOf(h.public.Host) {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

// hostOf is a host without its port, brackets and capital letters.
func hostOf(hostport string) string {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = strings.Trim(hostport, "[]")
	}
	return strings.ToLower(strings.TrimSuffix(host, "."))
}

// open lists what needs no password: probes tell nothing, and the inbox has
// its own token.
func open(r *http.Request) bool {
	return r.URL.Path == "/healthz" || r.URL.Path == "/readyz" || strings.HasPrefix(r.URL.Path, inboxPath)
}

// authenticate checks the password, when there is one.
func (h *Handler) authenticate(w http.ResponseWriter, r *http.Request) error {
	password := h.Password()
	if open(r) || password == "" && h.Loopback {
		return nil
	}
	if password == "" {
		return fmt.Errorf("no password is set, and this listener is reached from elsewhere: %w", api.ErrForbidden)
	}
	given, ok := credential(r)
	if ok {
		if wait := h.limit.wait(r.RemoteAddr, h.Now()); wait > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(int(wait.Seconds())+1))
			return fmt.Errorf("%w\nwait %d seconds", api.ErrTooMany, int(wait.Seconds())+1)
		}
		// Hashes are of one length, whatever was given.
		a, b := sha256.Sum256([]byte(given)), sha256.Sum256([]byte(password))
		if subtle.ConstantTimeCompare(a[:], b[:]) == 1 {
			return nil
		}
		h.limit.wrong(r.RemoteAddr, h.Now())
		h.Log.Warn("wrong password", "remote", r.RemoteAddr, "path", r.URL.Path)
	}
	w.Header().Add("WWW-Authenticate", `Basic realm="ApiMeld Agent", charset="UTF-8"`)
	w.Header().Add("WWW-Authenticate", `Bearer realm="ApiMeld Agent"`)
	return fmt.Errorf("%w\nany user name with the agent's password, or the header Authorization: Bearer PASSWORD", api.ErrUnauthorized)
}

// credential is the password that a request carries.
func credential(r *http.Request) (string, bool) {
	if _, password, ok := r.BasicAuth(); ok {
		return password, true
	}
	scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " ")
	if ok && strings.EqualFold(scheme, "bearer") {
		return strings.TrimSpace(token), true
	}
	return "", false
}

// who names whoever sent a request, for the history; way says over what.
func who(r *http.Request, way string) string {
	user, _, _ := r.BasicAuth()
	user = strings.Map(func(c rune) rune {
		if c < 0x20 || c == 0x7f || c >= 0x80 && c < 0xa0 || c >= 0x202a && c <= 0x202e || c >= 0x2066 && c <= 0x2069 {
			return -1
		}
		return c
	}, user)
	if runes := []rune(user); len(runes) > 64 {
		user = string(runes[:64])
	}
	if user == "" {
		return "somebody on the " + way
	}
	return user + " on the " + way
}
