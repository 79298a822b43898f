package examplesource_test

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/connectortest"
	"github.com/stripe-connector/stripe-connector/connector/examplesource"
)

const token = "s3cret-token"

// shop is a copy of testdata/shop in memory, to which lines can be appended.
func shop(t *testing.T) fstest.MapFS {
	t.Helper()
	files := fstest.MapFS{}
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
		files[name] = &fstest.MapFile{Data: text}
	}
	return files
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
	files := shop(t)
	open := func(files fs.FS) *examplesource.Source {
		return &examplesource.Source{Files: files, Token: token, PageSize: 2, Heartbeat: 3 * time.Millisecond}
	}
	truth := connectortest.Rows{
		"customers": {"c1": `{"id":"c1","name":"Ann","updated":"2024-01-01T00:00:00Z"}`, "c2": "", "c4": "", "c5": ""},
		"orders":    {"o1": "", "o2": "", "o4": "", "o5": `{"id":"o5","customer":"c2","total":56,"updated":"2024-01-06T00:00:00Z"}`, "o6": ""},
		"prices":    {"tea/EUR": "", "tea/USD": "", "pot/EUR": `{"sku":"pot","currency":"EUR","cents":1899}`, "cup/EUR": ""},
	}
	changes := 0
	write := func(stream, line string) {
		file := *files[stream+".jsonl"] // Reads may still hold the one before
		file.Data = append(file.Data[:len(file.Data):len(file.Data)], line+"\n"...)
		files[stream+".jsonl"] = &file
	}
	connectortest.Test(t, open(files), connectortest.Options{
		Config:  connector.NewConfig(`{"token":"` + token + `"}`),
		Secrets: []string{token},
		New:     func() connector.Source { return open(files) },
		Truth:   func() (connectortest.Rows, error) { return truth, nil },
		Mutate: func() error {
			changes++
			id := fmt.Sprintf("n%d", changes)
			truth = maps.Clone(truth)
			for stream := range truth {
				truth[stream] = maps.Clone(truth[stream])
			}
			write("customers", fmt.Sprintf(`{"id":%q,"name":"New","updated":"2024-02-01T00:00:00Z"}`, id))
			write("customers", fmt.Sprintf(`{"id":"c4","name":"Dee %d","updated":"2024-02-01T00:00:00Z"}`, changes))
			write("orders", fmt.Sprintf(`{"id":%q,"customer":"c1","total":1}`, id))
			write("orders", `{"id":"o1","deleted":true}`)
			write("orders", `{"deleted":true,"customer":"c2"}`)
			write("orders", fmt.Sprintf(`{"id":"o7","customer":"c2","total":%d}`, changes))
			truth["customers"][id] = ""
			truth["customers"]["c4"] = fmt.Sprintf(`{"id":"c4","name":"Dee %d","updated":"2024-02-01T00:00:00Z"}`, changes)
			truth["orders"][id], truth["orders"]["o7"] = "", fmt.Sprintf(`{"id":"o7","customer":"c2","total":%d}`, changes)
			delete(truth["orders"], "o1")
			delete(truth["orders"], "o5")
			return nil
		},
		Page:       6,
		Refused:    &connectortest.Refused{Stream: "prices", Config: connector.NewConfig(`{}`)},
		Panicking:  func() connector.Source { return open(panicking{files}) },
		Heartbeats: true,
	})
}
