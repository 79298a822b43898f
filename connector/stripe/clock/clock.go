// Package clock defines the unit of Stripe's timestamps.
package clock

import (
	"encoding/json"
	"fmt"
	"time"
)

// Second is a Unix time in whole seconds, as in Stripe's created fields and filters. In JSON it is an RFC 3339 string, for
// people.
type Second int64

// Day is a day in seconds.
const Day = Second(24 * time.Hour / time.Second)

// Of returns the second that contains t.
func Of(t time.Time) Second { return Second(t.Unix()) }

// String returns s in RFC 3339.
func (s Second) String() string { return s.Time().Format(time.RFC3339) }

// Time returns the beginning of s, in UTC.
func (s Second) Time() time.Time { return time.Unix(int64(s), 0).UTC() }

// MarshalJSON returns s as an RFC 3339 string.
func (s Second) MarshalJSON() ([]byte, error) { return json.Marshal(s.String()) }

// UnmarshalJSON parses an RFC 3339 string.
func (s *Second) UnmarshalJSON(text []byte) error {
	var t time.Time
	if err := json.Unmarshal(text, &t); err != nil {
		return fmt.Errorf("%s is not a time such as 2024-01-31T00:00:00Z", text)
	}
	if year := t.UTC().Year(); year < 0 || year > 9999 { // RFC 3339 can't express other years in UTC
		return fmt.Errorf("%s is not between the years 0 and 9999 in UTC", text)
	}
	*s = Of(t)
	return nil
}
