// Package server implements the gRPC service connector.v1.ConnectorService on top of a [connector.Source].
//
// The package knows the contract but nothing about any particular source. A call passes through these steps:
//
//	interceptors.go   logging, one line at the start of a call and one at its end, without payloads; panics become INTERNAL
//	lifeline.go       contexts that the server can cancel when a client sends no request or stops reading
//	tokens.go, tls.go authentication; the files are reloaded when they change (reload.go)
//	named.go          replacing {"secret": "NAME"} in a configuration with the secret from the secrets directory
//	admission.go      limits on concurrent Reads
//	parse.go, request.go  conversion to connector types; all invalid or unknown fields are reported together
//	spec.go, check.go, discover.go, read.go   one RPC each
//	sink.go, pack.go  sending the messages of a Read, with records packed into messages of about 256 KiB
//	errors.go         mapping of each [connector.Class] to a gRPC code, which happens nowhere else
//	trailer.go        error trailers, and the limit on their size
//	secrets.go        redaction of the configuration's secrets in all outgoing text
//
// # Memory
//
// A Read holds the batch that its source is sending, plus a few messages of 256 KiB that are waiting for the client. When
// the client stops reading, Send blocks, and with it the source. Records are encoded into the package's own buffers
// (see pool.go), and their data is shared with the source, not copied.
//
// # Panics
//
// A panic in a source's method fails that call with INTERNAL. A panic in a goroutine started by the source would crash the
// process, as in any Go program, so sources start goroutines in a Group of package emit, where a panic fails only the call.
package server
