package takeover

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/stripe/clock"
	"github.com/stripe-connector/stripe-connector/connector/stripe/config"
	"github.com/stripe-connector/stripe-connector/connector/stripe/schema"
	"github.com/stripe-connector/stripe-connector/connector/stripe/state"
	"github.com/stripe-connector/stripe-connector/connector/stripe/table"
)

// margin is how far before the other connector's position a stream resumes. An object may have changed while that connector was
// reading the lists, which takes hours at first, or the connector may have missed events that became visible late. A day of events
// costs few requests.
const margin = clock.Day

// pendingMargin is how far before a position to look for objects that change without an event, such as balance transactions
// that become available (https://docs.stripe.com/payouts#payout-speed).
const pendingMargin = 8 * clock.Day

// skew is how far in the future a position may be because of different clocks.
const skew = 10 * time.Minute

// State returns a state for a stream that another connector has read up to a time. fields are the fields that the stream is read
// with. The error describes what is wrong with the time, as the rest of a sentence.
func State(raw connector.Config, stream string, fields []string, until, now time.Time) (json.RawMessage, error) {
	if until.After(now.Add(skew)) {
		return nil, fmt.Errorf("is from the future: it says that everything until %s was read", until.UTC().Format(time.RFC3339))
	}
	c, err := parse(raw, now)
	if err != nil {
		return nil, err
	}
	if c.APIVersion == config.VersionOfAccount {
		c.APIVersion = config.DefaultVersion // the account's isn't known here; if it is another, the Read migrates to it
	}
	streams := streamsOf(c.APIVersion)
	row := streams.Find(stream)
	if row == nil {
		return nil, fmt.Errorf("is for %s, which is not a stream", stream)
	}
	to := max(clock.Of(until)-margin, 0)
	s := state.State{
		Version: state.Version, Mode: c.Mode(), Generation: state.FirstGeneration,
		From: min(clock.Of(c.Start), to), To: to, Windows: []state.Window{},
		Pass:     state.PassID{ID: "takeover", Streams: 1},
		Expanded: expanded(streams.Fields(row), fields), APIVersion: c.APIVersion,
	}
	if row.PendingField != "" && row.Cursor != "" {
		s.Pending = max(to-pendingMargin, s.From, 1)
	}
	if streams.Swept(row) {
		s.Changes = state.ChangesFrom(to)
	}
	return json.Marshal(s)
}

// streamsOf returns the streams of an API version.
func streamsOf(version string) table.Table {
	edition, _ := schema.Of(version)
	return table.Streams(edition)
}

// parse parses a configuration that is allowed to name any API address.
func parse(raw connector.Config, now time.Time) (config.Config, error) {
	var own struct {
		APIBase string `json:"api_base"`
	}
	_ = json.Unmarshal(raw.JSON(), &own) // config.Parse reports what is wrong
	return config.Parse(raw, []string{own.APIBase}, now)
}

// expanded returns what Stripe is asked to expand for the fields of a stream, as a state lists it.
func expanded(known table.Fields, fields []string) []string {
	var paths []string
	if len(fields) == 0 || slices.Contains(fields, table.AllFields) {
		for _, e := range known.Defaults() {
			paths = append(paths, e.Path())
		}
	}
	for _, field := range fields {
		if column, problem := known.Column(field); problem == "" && len(column.Expansion.Steps) > 0 {
			paths = append(paths, column.Expansion.Path())
		}
	}
	slices.Sort(paths)
	return slices.Compact(paths)
}
