// Package openapi holds Stripe's OpenAPI documents and the example objects that belong to them, one set for each API version
// whose shapes the connector knows (https://github.com/stripe/openapi). The generator of package schema reads them, and tests
// compare the connector with them. The connector itself never imports this package: it would add ten megabytes.
//
// Stripe publishes the documents in the Go module of stripe-mock. One is that of the module required by go.mod. A module
// can be required in one version only, so those of other versions are committed here, compressed and without what nothing here reads:
//
//	go generate ./connector/stripe/openapi
package openapi

import (
	"embed"
	"fmt"

	"github.com/klauspost/compress/zstd"
	"github.com/stripe/stripe-mock/embedded"
)

//go:generate go run ./internal/fetch 2022-11-15 v0.162.0
//go:generate go run ./internal/fetch 2026-08-26.dahlia v0.203.0

//go:embed *.zst
var files embed.FS

// Document is an OpenAPI document.
type Document struct {
	Version  string // the API version that it describes
	Spec     []byte // the document, in JSON
	Fixtures []byte // an example of each object, in JSON
}

// Documents returns all documents, oldest version first.
func Documents() []Document {
	return []Document{
		committed("2022-11-15"),
		{Version: "2023-10-16", Spec: embedded.OpenAPISpec, Fixtures: embedded.OpenAPIFixtures},
		committed("2026-08-26.dahlia"),
	}
}

// committed returns a document that is committed in this folder.
func committed(version string) Document {
	return Document{Version: version, Spec: unpack(version + ".spec.json.zst"), Fixtures: unpack(version + ".fixtures.json.zst")}
}

// unpack decompresses a committed file. It panics if the file is missing or damaged, which the tests would notice.
func unpack(name string) []byte {
	packed, err := files.ReadFile(name)
	if err != nil {
		panic(fmt.Sprintf("openapi: %v", err))
	}
	decoder, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1))
	if err != nil {
		panic(fmt.Sprintf("openapi: %v", err))
	}
	defer decoder.Close()
	text, err := decoder.DecodeAll(packed, nil)
	if err != nil {
		panic(fmt.Sprintf("openapi: %s: %v", name, err))
	}
	return text
}
