package server

import (
	"time"

	"github.com/stripe-connector/stripe-connector/connector"
)

// Observer receives events for metrics: what Reads send, how they end, and which calls and connections fail. Its methods are
// called concurrently and block the caller. Stream names come from the source, so there are only a few.
type Observer interface {
	// ReadBegan is called when a Read is admitted.
	ReadBegan()
	// ReadEnded is called when an admitted Read ends for any reason.
	ReadEnded()
	// RecordsSent is called after a batch was sent, once for each kind of operation in it (upserts or deletes).
	RecordsSent(stream string, operation connector.Operation, sent Count)
	// ReadFailed is called when a Read fails with a [connector.Failure] of the given class.
	ReadFailed(class connector.Class)
	// StreamSelected is called when a Read starts a stream of an account. The account is a short hash, as in account_key.
	StreamSelected(account, stream string)
	// WatermarkReached is called when the watermark of a stream advances. Once the client has stored everything sent so far,
	// it has all changes up to that time.
	WatermarkReached(account, stream string, watermark time.Time)
	// CallRefused is called for each call that is refused because its client has no valid credential.
	CallRefused()
	// HandshakeFailed is called for each failed TLS handshake. The cause is one of [HandshakeCauses].
	HandshakeFailed(cause string)
	// StreamEnded is called with the final status of a stream and the class of its failure, or zero if it did not fail.
	StreamEnded(stream string, status connector.Status, class connector.Class)
}

// Count is a number of records and the size of their JSON in bytes.
type Count struct{ Records, Bytes int64 }

func (c *Count) add(other Count) {
	c.Records += other.Records
	c.Bytes += other.Bytes
}

// noObserver is an Observer that does nothing.
type noObserver struct{}

func (noObserver) ReadBegan()                                            {}
func (noObserver) ReadEnded()                                            {}
func (noObserver) RecordsSent(string, connector.Operation, Count)        {}
func (noObserver) ReadFailed(connector.Class)                            {}
func (noObserver) StreamSelected(string, string)                         {}
func (noObserver) WatermarkReached(string, string, time.Time)            {}
func (noObserver) CallRefused()                                          {}
func (noObserver) HandshakeFailed(string)                                {}
func (noObserver) StreamEnded(string, connector.Status, connector.Class) {}
