package connectortest

import (
	"strings"
	"time"

	"github.com/stripe-connector/stripe-connector/connector"
)

// Options give the suite something to work with. The zero value suits a source of constant data that needs no
// configuration. Functions are called from one goroutine at a time.
type Options struct {
	// Config is a configuration that works.
	Config connector.Config
	// Secrets are texts in Config that must appear nowhere.
	Secrets []string
	// Streams are the streams to read; empty means every one of Discover's. A dozen small ones is enough: some checks read
	// them once for each message of a Read.
	Streams []string

	// New returns a source that reads the same data as the one under test and shares no memory with it, as another replica
	// of a service would. Resumed Reads go there. Nil means the source under test.
	New func() connector.Source
	// Truth returns the rows that a complete Read of each stream should find now. Nil means that a full refresh by the
	// source itself is taken for the truth, which can't show rows that the source never sends.
	Truth func() (Rows, error)
	// Mutate changes the data: it creates, changes and, where the source can, deletes rows of several streams. It is called
	// several times, between Reads. Nil means that the data is constant.
	Mutate func() error
	// AppendOnly are streams no row of which is ever to be removed because it did not come again, such as a log that is
	// kept for some days only. Their generation need not grow.
	AppendOnly []string
	// Page is how many records may still come when a limit is reached: those of the pages in hand, of all streams. Zero
	// means 10. The data must have more for limits to be judged.
	Page int

	// Refused, if set, is a stream that the source skips.
	Refused *Refused
	// Panicking returns a source that reads the same data and panics with the text [PanicText] in one of its goroutines
	// during each Read. Nil means that panics of workers are not judged.
	Panicking func() connector.Source
	// Heartbeats says that the source was configured to send heartbeats every few milliseconds.
	Heartbeats bool
	// BadConfigs are configurations that don't work, by the path of the field that is wrong, such as "config.start_date".
	// The suite adds some for each property of the Spec's schema.
	BadConfigs map[string]connector.Config
	// Logs returns everything that the source has logged, to be searched for secrets.
	Logs func() string

	// Known are promises that the source is known to break, by id, with where that is being repaired. Test logs their
	// breaches, and fails once they no longer occur, so that the list does not outlive its reasons.
	Known map[string]string
	// Slowness is how long a slow sink takes for a message. It is far more than the time between two heartbeats. Zero means 20
	// milliseconds.
	Slowness time.Duration
	// Stops is how many messages of a Read to stop before, spread over all of it. Zero means 100.
	Stops int
	// Patience is how long a Read may take, and how long it may take to return after its context ended. It is reached only by
	// a source that hangs. Zero means a minute.
	Patience time.Duration
}

// Rows are rows as compact JSON, by stream and key. The key is that of the primary key's fields, as text, joined by a
// slash. An empty row matches any content.
type Rows map[string]map[string]string

// Refused is a stream that a source skips.
type Refused struct {
	// Stream is the stream, one of those that are read.
	Stream string
	// Config is the configuration with which it is skipped, and all others are not.
	Config connector.Config
}

// PanicText is what the source of Options.Panicking panics with.
const PanicText = "connectortest: a planned panic"

func (o Options) withDefaults() Options {
	if o.Stops <= 0 {
		o.Stops = 100
	}
	if o.Slowness <= 0 {
		o.Slowness = 20 * time.Millisecond
	}
	if o.Page <= 0 {
		o.Page = 10
	}
	if o.Patience <= 0 {
		o.Patience = time.Minute
	}
	return o
}

// redact removes the planted secrets from a text of the suite's own.
func (o Options) redact(text string) string {
	for _, secret := range o.Secrets {
		text = strings.ReplaceAll(text, secret, "[secret]")
	}
	return text
}
