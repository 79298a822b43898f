package takeover

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/stripe/api"
	"github.com/stripe-connector/stripe-connector/connector/stripe/clock"
	"github.com/stripe-connector/stripe-connector/connector/stripe/config"
	"github.com/stripe-connector/stripe-connector/connector/stripe/hint"
)

// settings are what a run needs from the tap's configuration, besides the source's configuration.
type settings struct {
	account   string
	apiBase   string
	live      bool
	start     clock.Second
	lookback  clock.Second // lookback_window
	eventData []string     // paths below the data of events to keep; empty means all
}

// defaultLookback is the default of lookback_window: how far before its bookmarks the tap starts to read.
const defaultLookback = clock.Second(600)

// NewSinger parses a configuration of tap-stripe, and returns it with the source's configuration. now is the time. The error is a
// *connector.Failure that names every invalid field.
//
// Numbers may be strings, as Singer's tools write them. Fields of the source, such as api_base and max_requests_per_second, may
// appear among those of the tap. Other fields are ignored.
func NewSinger(raw []byte, now time.Time) (*Singer, connector.Config, error) {
	p := &singerConfig{out: map[string]any{}}
	if trimmed := bytes.TrimSpace(raw); len(trimmed) == 0 || trimmed[0] != '{' || json.Unmarshal(trimmed, &p.members) != nil {
		return nil, connector.Config{}, connector.Invalid(connector.Violation{
			Field: "config", Description: `must be a JSON object, such as {"client_secret": "rk_live_…", "start_date": "2024-01-31T00:00:00Z"}.`,
		})
	}
	s := &Singer{table: streamsOf(config.DefaultVersion), now: clock.Of(now)}
	s.streams = singerStreams(s.table)
	s.settings = settings{
		account:   p.account(),
		live:      strings.Contains(p.key(), "_live_"),
		start:     p.start(now),
		lookback:  p.lookback(),
		eventData: p.eventData(),
	}
	p.windows()
	p.pass()
	s.settings.apiBase, _ = p.out["api_base"].(string)
	if len(p.violations) > 0 {
		return nil, connector.Config{}, connector.Invalid(p.violations...)
	}
	out, err := json.Marshal(p.out)
	if err != nil {
		return nil, connector.Config{}, fmt.Errorf("write the source's configuration: %w", err)
	}
	return s, connector.NewConfig(out), nil
}

// APIBases returns the base URL of Stripe's API that the configuration names, if any.
func (s *Singer) APIBases() []string {
	if s.settings.apiBase == "" {
		return nil
	}
	return []string{s.settings.apiBase}
}

// Explain returns a message of the source with the source's names of fields replaced by the tap's.
func (*Singer) Explain(message string) string {
	message = strings.NewReplacer("config.api_key", "config.client_secret", "config.account:", "config.account_id:").Replace(message)
	return ownStatePath.ReplaceAllString(message, "state."+ownName)
}

// ownStatePath is how the source names a state.
var ownStatePath = regexp.MustCompile(`\bstates\[\d+\]\.content`)

// singerConfig parses a configuration of the tap.
type singerConfig struct {
	members    map[string]json.RawMessage
	out        map[string]any // the source's configuration
	violations []connector.Violation
}

func (p *singerConfig) wrong(field, format string, args ...any) {
	p.violations = append(p.violations, connector.Violation{Field: "config." + field, Description: fmt.Sprintf(format, args...)})
}

// text returns a member that is a string; "" if it is absent or null.
func (p *singerConfig) text(field string) string {
	var text *string
	if raw, ok := p.members[field]; ok && json.Unmarshal(raw, &text) != nil {
		p.wrong(field, "must be a string.")
	}
	if text == nil {
		return ""
	}
	return strings.TrimSpace(*text)
}

// number returns a member that is a number or a string with one. It reports false if it is absent, null or an empty string.
func (p *singerConfig) number(field string) (float64, bool) {
	raw, ok := p.members[field]
	text := string(raw)
	if unquoted := new(string); json.Unmarshal(raw, unquoted) == nil {
		text = strings.TrimSpace(*unquoted)
	}
	if !ok || text == "" || text == "null" {
		return 0, false
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsInf(n, 0) || math.IsNaN(n) {
		p.wrong(field, "must be a number.")
		return 0, false
	}
	return n, true
}

func (p *singerConfig) key() string {
	key := p.text("client_secret")
	if key == "" {
		key = p.text("api_key")
	}
	if key == "" {
		p.wrong("client_secret", "is missing: create a restricted key with read permissions in Stripe's Dashboard (Developers, API keys).")
	}
	p.out["api_key"] = key
	return key
}

func (p *singerConfig) account() string {
	account := p.text("account_id")
	if account == "" {
		account = p.text("account")
	}
	if account != "" {
		p.out["account"] = account
	}
	return account
}

// startLayouts are the forms of start_date. The tap accepts any ISO time; one without a zone is UTC.
var startLayouts = []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05", "2006-01-02T15:04Z07:00", time.DateOnly}

func (p *singerConfig) start(now time.Time) clock.Second {
	text := p.text("start_date")
	if text == "" {
		p.wrong("start_date", "is missing: objects created before it are not read. Set a time such as 2024-01-31T00:00:00Z.")
		return 0
	}
	for _, layout := range startLayouts {
		start, err := time.Parse(layout, text)
		if err != nil {
			continue
		}
		if start.After(now) {
			p.wrong("start_date", "must be in the past, got %s.", text)
		}
		p.out["start_date"] = start.UTC().Format(time.RFC3339)
		return max(0, clock.Of(start))
	}
	p.wrong("start_date", "must be a time such as 2024-01-31T00:00:00Z.")
	return 0
}

// lookback returns lookback_window, in seconds.
func (p *singerConfig) lookback() clock.Second {
	n, ok := p.number("lookback_window")
	switch {
	case !ok:
		return defaultLookback
	case n < 0 || n > math.MaxInt32:
		p.wrong("lookback_window", "must be a non-negative number of seconds, got %v.", n)
	}
	return clock.Second(n)
}

// windows checks the fields that have no effect here.
func (p *singerConfig) windows() {
	for _, field := range []string{"date_window_size", "event_date_window_size", "request_timeout"} {
		p.number(field)
	}
}

// eventData returns what whitelist_map says about the data of events: only these nested fields are kept. It is an object of lists
// of breadcrumbs by stream, or a string with one. The tap uses only breadcrumbs that begin with data.
func (p *singerConfig) eventData() []string {
	raw, ok := p.members["whitelist_map"]
	if quoted := new(string); json.Unmarshal(raw, quoted) == nil {
		raw = json.RawMessage(*quoted)
	}
	if !ok || len(bytes.TrimSpace(raw)) == 0 {
		return nil
	}
	var kept map[string][][]string
	if json.Unmarshal(raw, &kept) != nil {
		p.wrong("whitelist_map", `must be an object of lists of breadcrumbs by stream, such as {"events": [["data", "object", "id"]]}.`)
		return nil
	}
	var paths []string
	for _, breadcrumb := range kept["events"] {
		if len(breadcrumb) > 1 && breadcrumb[0] == "data" {
			paths = append(paths, strings.Join(breadcrumb[1:], "."))
		}
	}
	return paths
}

// ourFields are the fields of the source's configuration that may appear among those of the tap.
var (
	ourTexts   = []string{"api_base", "update_mode"}
	ourNumbers = []string{"max_requests_per_second", "events_overlap_seconds", "events_settling_seconds", "lookback_days"}
)

// pass copies the source's own fields to its configuration.
func (p *singerConfig) pass() {
	if version := p.text("api_version"); version != "" && version != api.DefaultVersion {
		p.wrong("api_version", "is %s, and the tap's tables have the shape of %s: omit it.", hint.Quote(version), api.DefaultVersion)
	}
	for _, field := range slices.Concat(ourTexts, ourNumbers) {
		if _, ok := p.members[field]; !ok {
			continue
		}
		if slices.Contains(ourTexts, field) {
			if text := p.text(field); text != "" {
				p.out[field] = text
			}
		} else if n, ok := p.number(field); ok {
			p.out[field] = n
		}
	}
}
