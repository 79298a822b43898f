package postgres_test

import (
	"fmt"
	"io"
	"net"
	"net/url"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stripe-connector/stripe-connector/client"
	"github.com/stripe-connector/stripe-connector/client/destination/postgres"
	"github.com/stripe-connector/stripe-connector/client/destination/postgres/postgrestest"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// TestRoundTripsOfACommit shows that a commit takes two round trips, whatever the number of its rows and streams, so that
// a distant database is hardly slower than a near one.
func TestRoundTripsOfACommit(t *testing.T) {
	const trips = 2
	server := postgrestest.Start(t)
	counter := &tripCounter{}
	d, err := postgres.Open(t.Context(), counter.forward(t, server), postgres.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	streams := []*connectorv1.Stream{
		stream(t, "charges", `{"id":{"type":"string"}}`, "id"),
		stream(t, "refunds", `{"id":{"type":"string"},"amount":{"type":"integer"}}`, "id"),
		stream(t, "lines", `{"id":{"type":"string"},"parent":{"type":"string"}}`, "id"),
	}
	streams[2].ParentField = "parent"
	if _, err := d.Begin(t.Context(), streams); err != nil {
		t.Fatal(err)
	}
	for rows := range 3 {
		var c client.Commit
		for _, s := range streams {
			batch := &connectorv1.RecordBatch{Stream: s.GetName(), Generation: 1}
			for i := range rows * 1000 {
				id := fmt.Sprintf(`{"id":"id_%d","parent":"in_%d","amount":%d}`, i, i%100, i)
				batch.Records = append(batch.Records, &connectorv1.Record{Operation: upsert, Data: id})
			}
			batch.Records = append(batch.Records, &connectorv1.Record{Operation: connectorv1.Operation_OPERATION_DELETE, Data: `{"id":"id_7"}`})
			if s.GetParentField() != "" {
				batch.Records = append(batch.Records, &connectorv1.Record{Operation: connectorv1.Operation_OPERATION_DELETE_MATCHING, Data: `{"parent":"in_3"}`})
			}
			c.Records = append(c.Records, batch)
			c.States = append(c.States, &connectorv1.StreamState{Stream: s.GetName()})
		}
		before := counter.count()
		if err := d.Commit(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		if got := counter.count() - before; got != trips {
			t.Errorf("a commit of %d rows took %d round trips, want %d", 3*1000*rows, got, trips)
		}
	}
}

// TestRoundTripsOfBegin shows that preparing many tables takes hardly more round trips than preparing one.
func TestRoundTripsOfBegin(t *testing.T) {
	const most, tables = 16, 40
	server := postgrestest.Start(t)
	var streams []*connectorv1.Stream
	for i := range tables {
		streams = append(streams, stream(t, fmt.Sprintf("stream_%d", i), `{"id":{"type":"string"}}`, "id"))
	}
	for _, sync := range []string{"first", "second"} {
		counter := &tripCounter{}
		d, err := postgres.Open(t.Context(), counter.forward(t, server), postgres.Options{})
		if err != nil {
			t.Fatal(err)
		}
		before := counter.count()
		if _, err := d.Begin(t.Context(), streams); err != nil {
			t.Fatal(err)
		}
		if got := counter.count() - before; got > most {
			t.Errorf("Begin of the %s sync of %d streams took %d round trips, want at most %d", sync, tables, got, most)
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// tripCounter counts the round trips of a connection: how often the client sends something after the server did.
type tripCounter struct {
	mu       sync.Mutex
	trips    int
	answered bool
}

func (c *tripCounter) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.trips
}

// forward returns the address of a proxy for one connection to the server.
func (c *tripCounter) forward(t *testing.T, server *postgrestest.Server) string {
	t.Helper()
	socket, err := url.Parse(server.URL(""))
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		near, err := listener.Accept()
		if err != nil {
			return
		}
		far, err := net.Dial("unix", filepath.Join(socket.Query().Get("host"), ".s.PGSQL.5432"))
		if err != nil {
			_ = near.Close()
			return
		}
		go c.copy(near, far, true)
		c.copy(far, near, false)
	}()
	return fmt.Sprintf("postgres://tester@%s/postgres?sslmode=disable", listener.Addr())
}

func (c *tripCounter) copy(to io.WriteCloser, from io.Reader, answers bool) {
	defer to.Close()
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			c.mu.Lock()
			if !answers && c.answered {
				c.trips++
			}
			c.answered = answers
			c.mu.Unlock()
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}
