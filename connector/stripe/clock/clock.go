// Package clock has the unit in which Stripe tells time.
package clock

import (
	"encoding/json"
	"fmt"
	"time"
)

// Second is a Unix time in whole seconds, as in Stripe's created and its filters. JSON has it in RFC 3339, for people.
type Second int64

// Day is a day in seconds.
const Day = Second(24 * time.Hour / time.Second)

// Of returns the second in which t lies.
func Of(t time.Time) Second { return Second(t.Unix()) }

// String returns s in RFC 3339.
func (s Second) String() string { return s.Time().Format(time.RFC3339) }

// Time returns the beginning of s, in UTC.
func (s Second) Time() time.Time { return time.Unix(int64(s), 0).UTC() }

// MarshalJSON writes s in RFC 3339.
func (s Second) MarshalJSON() ([]byte, error) { return json.Marshal(s.String()) }

// UnmarshalJSON reads RFC 3339.
func (s *Second) UnmarshalJSON(text []byte) error {
	var t time.Time
	if err := json.Unmarshal(text, &t); err != nil {
		return fmt.Errorf("%s is not a time such as 2024-01-31T00:00:00Z", text)
	}
	if year := t.UTC().Year(); year < 0 || year > 9999 { // RFC 3339 in UTC has no other years, so it could not be read again
		return fmt.Errorf("%s is not in the years 0 to 9999 of UTC", text)
	}
	*s = Of(t)
	return nil
}
