package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"sync"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/stripe"
)

// mortal is a source that kills its process, as if the node had failed, in the middle of a number of Reads.
type mortal struct {
	*stripe.Source

	mu      sync.Mutex
	sending int // the number of running Reads that have sent records
	order   killOrder
}

// killOrder says when to kill a process. The zero value means never.
type killOrder struct {
	Reads int    // the number of running Reads that have sent records
	Token string // a file to create first: of all processes with the same order, only the one that creates it dies
}

// obey makes the source obey an order whenever it has sent records.
func (s *mortal) obey(_ context.Context, order killOrder) (struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.order = order
	return struct{}{}, nil
}

// Read implements [connector.Source].
func (s *mortal) Read(ctx context.Context, req connector.ReadRequest, sink connector.Sink) (connector.Summary, error) {
	counted := &countedSink{Sink: sink, source: s}
	defer counted.end()
	return s.Source.Read(ctx, req, counted)
}

// countedSink is the sink of a Read that counts from its first records on.
type countedSink struct {
	connector.Sink

	source *mortal
	sent   bool
}

// Send implements [connector.Sink]. It isn't called concurrently.
func (c *countedSink) Send(ctx context.Context, m connector.Message) error {
	err := c.Sink.Send(ctx, m)
	if _, ok := m.(*connector.RecordBatch); !ok || err != nil {
		return err
	}
	c.source.mu.Lock()
	defer c.source.mu.Unlock()
	if !c.sent {
		c.sent = true
		c.source.sending++
	}
	if order := c.source.order; order.Reads > 0 && c.source.sending >= order.Reads {
		c.source.order = killOrder{}
		return killSelf(order.Token)
	}
	return nil
}

func (c *countedSink) end() {
	c.source.mu.Lock()
	defer c.source.mu.Unlock()
	if c.sent {
		c.source.sending--
	}
}

// killSelf kills this process without any cleanup, unless another one has created the token.
func killSelf(token string) error {
	file, err := os.OpenFile(token, os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	self, err := os.FindProcess(os.Getpid())
	if err != nil {
		return err
	}
	return errors.Join(file.Close(), self.Kill())
}
