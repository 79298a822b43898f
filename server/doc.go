// Package server is the gRPC edge of a connector: it answers connector.v1.ConnectorService with a [connector.Source].
//
// The package knows the contract and nothing of any particular source. A call passes through these steps, each in a
// file of its own:
//
//	interceptors.go   one log line when a call starts and one when it ends, never a payload; panics become INTERNAL
//	lifeline.go       a context that the server can end: of clients that send no request, or take nothing
//	tokens.go, tls.go who may call; the files are read again when they change (reload.go)
//	named.go          secrets of a folder in the place of their names in the configuration
//	admission.go      how many Reads at once
//	parse.go, request.go  proto to connector types, with every wrong field of a request reported at once, unknown ones too
//	spec.go, check.go, discover.go, read.go   one RPC each
//	sink.go, pack.go  messages of a Read onto the stream, records packed into messages of about 256 KiB
//	errors.go         the only place that turns a [connector.Class] into a gRPC code
//	trailer.go        the trailers of an error, and the bound of their size
//	secrets.go        the configuration's secrets, taken out of every text that leaves
//
// # Memory
//
// A Read holds the batch that its source handed over, and a few messages of 256 KiB that wait for the client; when the
// client stops reading, Send blocks and so does the source. To keep that promise the package encodes records in buffers
// of its own (see pool.go) and leaves their data where the source put it: strings are shared, not copied.
//
// # Panics
//
// A panic in a source's method ends that call with INTERNAL. A panic in a goroutine that the source started itself would end
// the process, as in any Go program: sources start theirs in a Group of package emit, which ends that call alone.
package server
