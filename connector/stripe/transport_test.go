package stripe_test

import "net/http"

// closingTransport makes CloseIdleConnections of a transport accessible to tests.
type closingTransport struct{ http.RoundTripper }

func (t *closingTransport) CloseIdleConnections() {
	t.RoundTripper.(interface{ CloseIdleConnections() }).CloseIdleConnections()
}
