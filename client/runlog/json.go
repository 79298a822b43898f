package runlog

import (
	"encoding/json"
	"time"
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
