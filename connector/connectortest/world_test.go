package connectortest_test

import (
	"fmt"
	"io/fs"
	"maps"
	"testing/fstest"
	"time"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/connectortest"
	"github.com/stripe-connector/stripe-connector/connector/examplesource"
)

const token = "s3cret-token"

// world is a small shop, the source that reads it, and the truth about it.
type world struct {
	files   fstest.MapFS
	truth   connectortest.Rows
	changes int
}

func newWorld() *world {
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
	return &world{
		files: fstest.MapFS{
			"catalog.json": file(`[
				{"Name": "customers", "PrimaryKey": ["id"], "CursorField": "updated", "JSONSchema": {"type": "object", "required": ["id", "name"], "properties": {"id": {"type": "string"}}}},
				{"Name": "orders", "PrimaryKey": ["id"], "Parent": "customers", "ParentField": "customer",
					"JSONSchema": {"type": "object", "required": ["id"], "properties": {"id": {}, "customer": {}}},
					"Relations": [{"Field": "customer", "Stream": "customers", "ForeignField": "id"}]},
				{"Name": "prices", "PrimaryKey": ["sku", "currency"], "Permission": "token", "JSONSchema": {"type": "object", "properties": {"sku": {}, "currency": {}}}}]`),
			"customers.jsonl": file(`{"id":"c1","name":"Ann","city":"Bonn","updated":"2024-01-01T00:00:00Z"}
{"id":"c2","name":"Bob","updated":"2024-01-02T00:00:00Z"}
{"id":"c3","name":"Cas","updated":"2024-01-03T00:00:00Z"}
{"id":"c2","name":"Bobby","city":"Rome","updated":"2024-01-04T00:00:00Z"}
{"id":"c4","name":"Dee","updated":"2024-01-05T00:00:00Z"}
{"id":"c3","deleted":true,"updated":"2024-01-07T00:00:00Z"}
`),
			"orders.jsonl": file(`{"id":"o1","customer":"c1"}
{"id":"o2","customer":"c2"}
{"id":"o3","customer":"c4"}
{"customer":"c2","deleted":true}
{"id":"o4","customer":"c2"}
`),
			"prices.jsonl": file(`{"sku":"tea","currency":"EUR","cents":399}
{"sku":"tea","currency":"USD","cents":429}
{"sku":"pot","currency":"EUR","cents":1999}
{"sku":"pot","currency":"EUR","cents":1899}
{"sku":"cup","currency":"EUR","cents":450}
`),
		},
		truth: connectortest.Rows{
			"customers": {"c1": "", "c2": `{"id":"c2","name":"Bobby","city":"Rome","updated":"2024-01-04T00:00:00Z"}`, "c4": ""},
			"orders":    {"o1": "", "o3": "", "o4": ""},
			"prices":    {"tea/EUR": "", "tea/USD": "", "pot/EUR": `{"sku":"pot","currency":"EUR","cents":1899}`, "cup/EUR": ""},
		},
	}
}

// open returns a source that knows nothing of any other.
func (w *world) open(files fs.FS) connector.Source {
	return selecting{&examplesource.Source{Files: files, Token: token, PageSize: 2, Heartbeat: time.Millisecond}}
}

// options are everything that the suite can be given.
func (w *world) options() connectortest.Options {
	return connectortest.Options{
		Config:     connector.NewConfig(`{"token":"` + token + `"}`),
		Secrets:    []string{token},
		New:        func() connector.Source { return w.open(w.files) },
		Truth:      func() (connectortest.Rows, error) { return w.truth, nil },
		Mutate:     w.mutate,
		Page:       6,
		Refused:    &connectortest.Refused{Stream: "prices", Config: connector.NewConfig(`{}`)},
		Panicking:  func() connector.Source { return w.open(panicking{w.files}) },
		Heartbeats: true,
		Slowness:   5 * time.Millisecond,
	}
}

// mutate creates, changes and deletes rows.
func (w *world) mutate() error {
	w.changes++
	id := fmt.Sprintf("n%d", w.changes)
	truth := connectortest.Rows{}
	for stream, of := range w.truth {
		truth[stream] = maps.Clone(of)
	}
	changed := fmt.Sprintf(`{"id":"c4","name":"Dee %d","updated":"2024-02-01T00:00:00Z"}`, w.changes)
	w.write("customers", fmt.Sprintf(`{"id":%q,"name":"New","updated":"2024-02-01T00:00:00Z"}`, id))
	w.write("customers", changed)
	truth["customers"][id], truth["customers"]["c4"] = "", changed
	w.write("orders", `{"id":"o1","deleted":true}`)
	delete(truth["orders"], "o1")
	w.write("orders", `{"deleted":true,"customer":"c2"}`)
	delete(truth["orders"], "o4")
	w.write("orders", fmt.Sprintf(`{"id":"o5","customer":"c2","cents":%d}`, w.changes))
	truth["orders"]["o5"] = fmt.Sprintf(`{"id":"o5","customer":"c2","cents":%d}`, w.changes)
	w.truth = truth
	return nil
}

// write appends a line to the file of a stream.
func (w *world) write(stream, line string) {
	file := *w.files[stream+".jsonl"]
	file.Data = append(file.Data[:len(file.Data):len(file.Data)], line+"\n"...)
	w.files[stream+".jsonl"] = &file
}

// panicking is a folder whose streams cannot be read without a panic.
type panicking struct{ fs.FS }

func (p panicking) Open(name string) (fs.File, error) {
	if name != "catalog.json" {
		panic(connectortest.PanicText)
	}
	return p.FS.Open(name)
}
