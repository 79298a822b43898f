package api

// NewHTTPTransport is NewTransport without ReadOnly, so that tests can modify it.
var NewHTTPTransport = newTransport
