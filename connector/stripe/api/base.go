package api

import (
	"errors"
	"net"
	"net/url"
	"path"
	"strings"
)

var errNotBase = errors.New("must be a URL such as " + DefaultBase + ", without a user, a query or a fragment")

// NormalBase returns the one spelling of an address of Stripe's API. Limits, clocks and permissions are kept by address, so
// that a slash more or another case must not make another address of it.
func NormalBase(base string) (string, error) {
	u, err := url.Parse(base)
	if err != nil || u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || u.Opaque != "" {
		return "", errNotBase
	}
	host, port := strings.ToLower(strings.TrimRight(u.Hostname(), ".")), u.Port()
	switch scheme := strings.ToLower(u.Scheme); {
	case host == "", scheme != "https" && scheme != "http":
		return "", errNotBase
	case scheme == "https" && port == "443", scheme == "http" && port == "80":
		port = ""
	}
	switch {
	case port != "":
		host = net.JoinHostPort(host, port)
	case strings.Contains(host, ":"):
		host = "[" + host + "]"
	}
	return strings.ToLower(u.Scheme) + "://" + host + strings.TrimRight(path.Clean("/"+u.EscapedPath()), "/"), nil
}
