package api

// NewHTTPTransport is NewTransport without ReadOnly, for tests to change.
var NewHTTPTransport = newTransport
