package runlog

import (
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"time"

	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// MarshalJSON writes durations in seconds, like all JSON output of the command.
func (r Run) MarshalJSON() ([]byte, error) {
	type plain Run
	return json.Marshal(struct {
		plain
		Duration float64 `json:"duration_seconds,omitempty"`
		Waited   float64 `json:"waited_seconds"`
	}{plain(r), max(0, r.Ended.Sub(r.Started)).Round(time.Millisecond).Seconds(), r.Waited.Seconds()})
}

// MarshalJSON writes the duration in seconds.
func (s Stream) MarshalJSON() ([]byte, error) {
	type plain Stream
	return json.Marshal(struct {
		plain
		Duration float64 `json:"duration_seconds"`
	}{plain(s), s.Duration.Seconds()})
}

// driftColumn is a drift as stored in the file, in JSON. A nil drift is NULL.
type driftColumn struct{ drift **connectorv1.Drift }

// Value implements driver.Valuer.
func (c driftColumn) Value() (driver.Value, error) {
	if *c.drift == nil {
		return nil, nil
	}
	text, err := json.Marshal(*c.drift)
	return string(text), err
}

// Scan implements sql.Scanner.
func (c driftColumn) Scan(value any) error {
	switch v := value.(type) {
	case nil:
		*c.drift = nil
		return nil
	case string:
		return json.Unmarshal([]byte(v), c.drift)
	}
	return fmt.Errorf("a drift is stored as %T", value)
}
