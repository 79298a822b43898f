package family

import (
	"time"

	"github.com/stripe-connector/stripe-connector/connector/stripe/clock"
	"github.com/stripe-connector/stripe-connector/connector/stripe/rawjson"
)

// notePending records the oldest object that can still change without an event, for the states of all streams of the family. Objects of
// events need no note: lists show them as well.
func (h *Harvest) notePending(root *Member, objects []rawjson.Object, asOf time.Time) {
	if root.parent != nil || h.cause != (Cause{}) {
		return
	}
	for _, s := range root.All() {
		if s.Row.PendingField == "" {
			continue
		}
		oldest := clock.Second(0)
		if s.Row.PendingDays > 0 {
			oldest = clock.Of(asOf) - clock.Second(s.Row.PendingDays)*clock.Day
		}
		for _, object := range objects {
			value, _ := rawjson.Lookup(object.Raw, s.Row.PendingField)
			at := root.Row.CreatedAt(object)
			if rawjson.String(value) == s.Row.PendingValue && at >= oldest && (h.pending[root] == 0 || at < h.pending[root]) {
				h.pending[root] = at
			}
		}
	}
}
