package stripe_test

import "net/http"

// closingTransport lets a test close what it opened.
type closingTransport struct{ http.RoundTripper }

func (t *closingTransport) CloseIdleConnections() {
	t.RoundTripper.(interface{ CloseIdleConnections() }).CloseIdleConnections()
}
