package config

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/stripe/api"
	"github.com/stripe-connector/stripe-connector/connector/stripe/clock"
	"github.com/stripe-connector/stripe-connector/connector/stripe/hint"
	"github.com/stripe-connector/stripe-connector/connector/stripe/schema"
)

// Config is a validated configuration.
type Config struct {
	APIKey  connector.Secret
	Start   time.Time // start_date minus lookback_days, in whole seconds
	Account string    // empty for the key's own account
	APIBase string    // empty for Stripe's own URL
	MaxRate float64   // requests per second; 0 for Stripe's documented limits

	// APIVersion is the version of Stripe's API to read in, or VersionOfAccount.
	APIVersion string

	Lookback   clock.Second // lookback_days
	UpdateMode string       // auto, payload or reread
	Overlap    clock.Second // how long after its creation an event may become visible
	Settling   clock.Second // the minimum age of an event that a sweep looks for
}

// Mode returns "live" or "test", as determined by the key.
func (c Config) Mode() string {
	if strings.Contains(c.APIKey.Reveal(), "_live_") {
		return "live"
	}
	return "test"
}

// maxLookbackDays is the maximum value of lookback_days.
const maxLookbackDays = 600

// Events become visible some seconds after they are created, rarely more than ten. A sweep skips events younger than the
// settling lag. It also looks for events in the last sweep's period that have appeared since. All values are in seconds.
const (
	defaultOverlap  = 300
	maxOverlap      = 24 * 60 * 60
	defaultSettling = 2
	maxSettling     = 10 * 60
)

var (
	keyPattern     = regexp.MustCompile(`^(sk|rk)_(live|test)_[0-9A-Za-z_]+$`)
	accountPattern = regexp.MustCompile(`^acct_[0-9A-Za-z]+$`)
)

// Schema is the JSON Schema of a configuration.
//
//go:embed config_schema.json
var Schema []byte

// Parse parses and validates a configuration. Its api_base must be Stripe's own URL or one of allowed. The error is a
// *connector.Failure that names every invalid field.
func Parse(raw connector.Config, allowed []string, now time.Time) (Config, error) {
	var members map[string]json.RawMessage
	if content := raw.JSON(); content != nil {
		if err := json.Unmarshal(content, &members); err != nil {
			return Config{}, connector.Invalid(connector.Violation{Field: "config", Description: "must be a JSON object."})
		}
	}
	p := &parser{members: members, now: now}
	lookback := p.wholeNumber("lookback_days", "days", 0, maxLookbackDays)
	c := Config{
		APIKey:  connector.NewSecret(p.apiKey()),
		Start:   p.start(lookback),
		Account: p.account(),
		APIBase: p.apiBase(allowed),
		MaxRate: p.maxRate(),

		APIVersion: p.apiVersion(),

		Lookback:   clock.Second(lookback) * clock.Day,
		UpdateMode: p.updateMode(),
		Overlap:    clock.Second(p.wholeNumber("events_overlap_seconds", "seconds", defaultOverlap, maxOverlap)),
		Settling:   clock.Second(p.wholeNumber("events_settling_seconds", "seconds", defaultSettling, maxSettling)),
	}
	p.rejectUnknown()
	if len(p.violations) > 0 {
		return Config{}, connector.Invalid(p.violations...)
	}
	return c, nil
}

// parser consumes the members of a configuration and collects their problems.
type parser struct {
	members    map[string]json.RawMessage
	now        time.Time
	violations []connector.Violation
}

func (p *parser) wrong(field, format string, args ...any) {
	p.violations = append(p.violations, connector.Violation{Field: "config." + field, Description: fmt.Sprintf(format, args...)})
}

// take removes and decodes a member. It reports false if the member is absent, null, or (with a violation) of the wrong type.
func (p *parser) take(field, kind string, into any) bool {
	raw, ok := p.members[field]
	delete(p.members, field)
	if !ok || bytes.Equal(raw, []byte("null")) {
		return false
	}
	if err := json.Unmarshal(raw, into); err != nil {
		p.wrong(field, "must be %s.", kind)
		return false
	}
	return true
}

// text removes and returns a string member, or returns "" if there is none.
func (p *parser) text(field string) string {
	var s string
	p.take(field, "a string", &s)
	return s
}

func (p *parser) apiKey() string {
	before := len(p.violations)
	key := p.text("api_key")
	switch {
	case len(p.violations) > before: // not a string
	case key == "":
		p.wrong("api_key", "is missing: create a restricted key with read permissions in Stripe's Dashboard (Developers, API keys).")
	case strings.HasPrefix(key, "pk_"):
		p.wrong("api_key", "is a publishable key, which can't read data: use a restricted (rk_…) or secret (sk_…) key.")
	case !keyPattern.MatchString(key):
		p.wrong("api_key", "is malformed: it must start with rk_live_, rk_test_, sk_live_ or sk_test_, followed only by letters and digits.")
	}
	return key
}

// start returns the first second to read: start_date (default: a year ago) minus lookback_days.
func (p *parser) start(lookbackDays int) time.Time {
	start := p.now.AddDate(-1, 0, 0)
	if text := p.text("start_date"); text != "" {
		parsed, err := parseDate(text)
		switch {
		case err != nil:
			p.wrong("start_date", "must be a date such as 2024-01-31, or a time such as 2024-01-31T00:00:00Z.")
		case parsed.After(p.now):
			p.wrong("start_date", "must be in the past, got %s.", text)
		}
		start = parsed
	}
	start = start.AddDate(0, 0, -lookbackDays).UTC().Truncate(time.Second)
	if epoch := time.Unix(0, 0).UTC(); start.Before(epoch) { // nothing is older, and Stripe rejects negative times
		return epoch
	}
	return start
}

func parseDate(text string) (time.Time, error) {
	if t, err := time.Parse(time.DateOnly, text); err == nil {
		return t, nil
	}
	return time.Parse(time.RFC3339, text)
}

// wholeNumber removes and returns a number from 0 to maximum, or returns absent if there is none.
func (p *parser) wholeNumber(field, unit string, absent, maximum int) int {
	var n float64
	if !p.take(field, "a whole number of "+unit, &n) {
		return absent
	}
	if n != float64(int(n)) || n < 0 || n > float64(maximum) {
		p.wrong(field, "must be a whole number between 0 and %d, got %v.", maximum, n)
		return absent
	}
	return int(n)
}

// How to apply a change announced by an event.
const (
	UpdateAuto    = "auto"    // the event's payload if it is complete and of the pinned version, otherwise the object is re-read
	UpdatePayload = "payload" // the payload, whatever its version
	UpdateReread  = "reread"
)

func (p *parser) updateMode() string {
	mode := p.text("update_mode")
	switch mode {
	case "":
		return UpdateAuto
	case UpdateAuto, UpdatePayload, UpdateReread:
	default:
		p.wrong("update_mode", "must be auto, payload or reread, got %s.", hint.Quote(mode))
	}
	return mode
}

// DefaultVersion is the API version if the configuration names none. It never changes, so that a new release of the connector
// doesn't change the columns of a pipeline. States that name no version are of this one.
const DefaultVersion = "2023-10-16"

// VersionOfAccount is the value of api_version for the account's own default version.
const VersionOfAccount = "account"

func (p *parser) apiVersion() string {
	version := p.text("api_version")
	if version == "" {
		return DefaultVersion
	}
	if version == VersionOfAccount {
		return version
	}
	if problem := VersionProblem(version); problem != "" {
		p.wrong("api_version", "%s", problem)
	}
	return version
}

// VersionProblem describes why streams can't be read in an API version, or returns "" if they can.
func VersionProblem(version string) string {
	if _, known := schema.Of(version); known {
		return ""
	}
	known := schema.Versions()
	nearest := hint.Nearest(version, known)
	if i := slices.IndexFunc(known, func(name string) bool { return strings.HasPrefix(name, version+".") }); i >= 0 {
		nearest = fmt.Sprintf(" Did you mean %q?", known[i]) // only the name of the release is missing
	}
	return fmt.Sprintf("is %s, whose shapes this release doesn't know.%s Choose %q for the account's own, or one of %s.",
		hint.Quote(version), nearest, VersionOfAccount, strings.Join(known, ", "))
}

// VersionAdvice describes what it costs that events have another API version than the one that streams are read in, and how to save
// that. It returns "" if it costs nothing.
func (c Config) VersionAdvice(events string) string {
	if c.UpdateMode != UpdateAuto || events == "" || events == c.APIVersion {
		return ""
	}
	cure := fmt.Sprintf("To save these requests, set api_version to %q, which re-reads every stream once.", VersionOfAccount)
	if VersionProblem(events) != "" {
		cure = "This release can't read in that version."
	}
	return fmt.Sprintf("Stripe writes the account's events in API version %s, and this configuration reads %s, so every object that changes costs a request "+
		"instead of a hundredth of one. %s", events, c.APIVersion, cure)
}

func (p *parser) account() string {
	account := p.text("account")
	if account != "" && !accountPattern.MatchString(account) {
		p.wrong("account", "is malformed: the id of a connected account starts with acct_. Omit it to read the key's own account.")
	}
	return account
}

func (p *parser) apiBase(allowed []string) string {
	base := p.text("api_base")
	if base == "" {
		return ""
	}
	normal, err := api.NormalBase(base)
	if err != nil {
		p.wrong("api_base", "must be a URL such as https://api.stripe.com, without a user or query. Omit it to connect to Stripe.")
		return ""
	}
	if normal == api.DefaultBase {
		return "" // so that the default limits apply
	}
	same := func(other string) bool {
		other, err := api.NormalBase(other)
		return err == nil && other == normal
	}
	if !slices.ContainsFunc(allowed, same) {
		p.wrong("api_base", "is not allowed by this service. Omit it to connect to Stripe, or ask the operator to start the service with --allow-api-base and this URL.")
	}
	return normal
}

func (p *parser) maxRate() float64 {
	var rate float64
	if p.take("max_requests_per_second", "a number", &rate) && (rate < minRate || rate > maxRate) {
		p.wrong("max_requests_per_second", "must be a number between %v and %d, got %v.", minRate, maxRate, rate)
	}
	return rate
}

// minRate and maxRate bound max_requests_per_second. A request every ten seconds is below the limit of any account, and maxRate
// is far above it.
const (
	minRate = 0.1
	maxRate = 10_000
)

func (p *parser) rejectUnknown() {
	for _, field := range slices.Sorted(maps.Keys(p.members)) {
		p.wrong(strings.Trim(hint.Quote(field), `"`), "is not a configuration field.%s", hint.Nearest(field, fields))
	}
}

var fields = []string{
	"account", "api_base", "api_key", "api_version", "events_overlap_seconds", "events_settling_seconds", "lookback_days",
	"max_requests_per_second", "start_date", "update_mode",
}
