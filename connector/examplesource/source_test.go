package examplesource_test

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/connectortest"
	"github.com/stripe-connector/stripe-connector/connector/examplesource"
)

const token = "s3cret-token"

// shop is a copy of testdata/shop in memory that can change, with the truth about it.
type shop struct {
	mu      sync.Mutex
	files   fstest.MapFS
	truth   connectortest.Rows
	changes int
}

func newShop(t *testing.T) *shop {
	t.Helper()
	s := &shop{files: fstest.MapFS{}, truth: connectortest.Rows{
		"customers": {"c1": `{"id":"c1","name":"Ann","updated":"2024-01-01T00:00:00Z"}`, "c2": "", "c4": "", "c5": ""},
		"orders":    {"o1": "", "o2": "", "o4": "", "o5": `{"id":"o5","customer":"c2","total":56,"updated":"2024-01-06T00:00:00Z"}`, "o6": ""},
		"prices":    {"tea/EUR": "", "tea/USD": "", "pot/EUR": `{"sku":"pot","currency":"EUR","cents":1899}`, "cup/EUR": ""},
	}}
	folder := os.DirFS("testdata/shop")
	names, err := fs.Glob(folder, "*")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		text, err := fs.ReadFile(folder, name)
		if err != nil {
			t.Fatal(err)
		}
		s.files[name] = &fstest.MapFile{Data: text}
	}
	return s
}

// Open opens a file as it is now; lines that are written later don't show in it.
func (s *shop) Open(name string) (fs.File, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.files.Open(name)
}

// write appends a line to the file of a stream.
func (s *shop) write(stream, line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	file := *s.files[stream+".jsonl"]
	file.Data = append(file.Data[:len(file.Data):len(file.Data)], line+"\n"...)
	s.files[stream+".jsonl"] = &file
}

// mutate creates, changes and deletes rows.
func (s *shop) mutate() error {
	s.changes++
	id := fmt.Sprintf("n%d", s.changes)
	customer := fmt.Sprintf(`{"id":"c4","name":"Dee %d","updated":"2024-02-01T00:00:00Z"}`, s.changes)
	order := fmt.Sprintf(`{"id":"o7","customer":"c2","total":%d}`, s.changes)
	s.write("customers", fmt.Sprintf(`{"id":%q,"name":"New","updated":"2024-02-01T00:00:00Z"}`, id))
	s.write("customers", customer)
	s.write("orders", fmt.Sprintf(`{"id":%q,"customer":"c1","total":1}`, id))
	s.write("orders", `{"id":"o1","deleted":true}`)
	s.write("orders", `{"deleted":true,"customer":"c2"}`)
	s.write("orders", order)
	customers, orders := maps.Clone(s.truth["customers"]), maps.Clone(s.truth["orders"])
	customers[id], customers["c4"], orders[id], orders["o7"] = "", customer, "", order
	delete(orders, "o1")
	delete(orders, "o5")
	s.truth = connectortest.Rows{"customers": customers, "orders": orders, "prices": s.truth["prices"]}
	return nil
}

func source(files fs.FS) *examplesource.Source {
	return &examplesource.Source{Files: files, Token: token, PageSize: 2, Heartbeat: 3 * time.Millisecond}
}

// panicking is a folder whose streams cannot be read without a panic.
type panicking struct{ fs.FS }

func (p panicking) Open(name string) (fs.File, error) {
	if name != "catalog.json" {
		panic(connectortest.PanicText)
	}
	return p.FS.Open(name)
}

func TestContract(t *testing.T) {
	s := newShop(t)
	connectortest.Test(t, source(s), connectortest.Options{
		Config:     connector.NewConfig(`{"token":"` + token + `"}`),
		Secrets:    []string{token},
		New:        func() connector.Source { return source(s) },
		Truth:      func() (connectortest.Rows, error) { return s.truth, nil },
		Mutate:     s.mutate,
		Page:       6,
		Refused:    &connectortest.Refused{Stream: "prices", Config: connector.NewConfig(`{}`)},
		Panicking:  func() connector.Source { return source(panicking{s}) },
		Heartbeats: true,
	})
}
