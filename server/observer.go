package server

import (
	"time"

	"github.com/stripe-connector/stripe-connector/connector"
)

// Observer is told what Reads send and how they end, for metrics. It is called from many goroutines at once, and holds
// them up. Streams are named as the source names them, so they are few.
type Observer interface {
	// ReadBegan is called when a Read is admitted, and ReadEnded when it ends for whatever reason.
	ReadBegan()
	ReadEnded()
	// RecordsSent is called with records sent, all of one operation: at most twice for a batch.
	RecordsSent(stream string, operation connector.Operation, sent Count)
	// ReadFailed is called when a Read ends with a failure of its own, with its class.
	ReadFailed(class connector.Class)
	// StreamSelected is called for each stream that a Read of an account begins. The account is a short hash, see account_key in
	// the log.
	StreamSelected(account, stream string)
	// WatermarkReached is called with the time up to which the changes of a stream are applied once all that was sent is stored.
	WatermarkReached(account, stream string, watermark time.Time)
	// CallRefused is called for each call of a client without a good credential.
	CallRefused()
	// HandshakeFailed is called for each connection whose TLS handshake failed, with one of a few words for the cause.
	HandshakeFailed(cause string)
	// StreamEnded is called with the final status of a stream. class is the class of its failure, or zero if it had none.
	StreamEnded(stream string, status connector.Status, class connector.Class)
}

// Count is a number of records and of the bytes of JSON in them.
type Count struct{ Records, Bytes int64 }

func (c *Count) add(other Count) {
	c.Records += other.Records
	c.Bytes += other.Bytes
}

// nobody is the Observer where there is none.
type nobody struct{}

func (nobody) ReadBegan()                                            {}
func (nobody) ReadEnded()                                            {}
func (nobody) RecordsSent(string, connector.Operation, Count)        {}
func (nobody) ReadFailed(connector.Class)                            {}
func (nobody) StreamSelected(string, string)                         {}
func (nobody) WatermarkReached(string, string, time.Time)            {}
func (nobody) CallRefused()                                          {}
func (nobody) HandshakeFailed(string)                                {}
func (nobody) StreamEnded(string, connector.Status, connector.Class) {}
