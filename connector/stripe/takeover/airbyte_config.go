package takeover

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/stripe-connector/stripe-connector/connector"
)

//go:embed airbyte_spec.json
var airbyteSpec []byte

// ConfigSchema returns the JSON Schema of the configuration: that of source-stripe, and our own fields.
func (a *Airbyte) ConfigSchema() json.RawMessage { return airbyteSpec }

// ours maps the fields of an Airbyte configuration to ours. The others have no effect.
var ours = map[string]string{
	"client_secret":        "api_key",
	"account_id":           "account",
	"start_date":           "start_date",
	"lookback_window_days": "lookback_days",
	"call_rate_limit":      "max_requests_per_second",

	"api_version":             "api_version",
	"update_mode":             "update_mode",
	"events_overlap_seconds":  "events_overlap_seconds",
	"events_settling_seconds": "events_settling_seconds",
	"api_base":                "api_base",
}

// airbyteStart is the start date of configurations without one.
const airbyteStart = "2017-01-25T00:00:00Z"

// maxLookback is the maximum lookback, in days.
const maxLookback = 600

var startPattern = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$`)

// Config translates a configuration of source-stripe. account is the account in it, and the notes are for the user. The error is
// a *connector.Failure that names every invalid field.
func (a *Airbyte) Config(given json.RawMessage) (c connector.Config, account string, notes []string, err error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(given, &members); err != nil || members == nil {
		return c, "", nil, connector.Invalid(connector.Violation{Field: "config", Description: "must be a JSON object."})
	}
	p := airbyteConfig{given: members, fields: map[string]any{"start_date": airbyteStart}}
	for _, name := range slices.Sorted(maps.Keys(ours)) {
		if value, ok := members[name]; ok && string(value) != "null" {
			p.fields[ours[name]] = value
		}
	}
	p.check()
	text, err := json.Marshal(p.fields)
	if err != nil {
		return c, "", nil, err
	}
	c = connector.NewConfig(text)
	parsed, err := parse(c, a.now())
	if failure, ok := connector.FailureIn(err); ok {
		p.refuse(failure)
	} else if err != nil {
		return c, "", nil, err
	}
	a.version = parsed.APIVersion
	if len(p.violations) > 0 {
		return connector.Config{}, "", nil, connector.Invalid(p.violations...)
	}
	return c, parsed.Account, p.notes, nil
}

// airbyteConfig is a configuration that is being translated.
type airbyteConfig struct {
	given      map[string]json.RawMessage
	fields     map[string]any // ours
	notes      []string
	violations []connector.Violation
}

func (p *airbyteConfig) wrong(field, format string, args ...any) {
	p.violations = append(p.violations, connector.Violation{Field: "config." + field, Description: fmt.Sprintf(format, args...)})
}

// check validates the fields that follow source-stripe's own rules.
func (p *airbyteConfig) check() {
	var start string
	if raw, ok := p.given["start_date"]; ok && string(raw) != "null" && (json.Unmarshal(raw, &start) != nil || !startPattern.MatchString(start)) {
		p.wrong("start_date", "must be a time such as 2017-01-25T00:00:00Z.")
		delete(p.fields, "start_date")
	}
	var days float64
	if raw, ok := p.given["lookback_window_days"]; ok && json.Unmarshal(raw, &days) == nil && days > maxLookback {
		p.notes = append(p.notes, fmt.Sprintf("lookback_window_days is %v, but at most %d days are used.", days, maxLookback))
		p.fields["lookback_days"] = maxLookback
	}
	for field, least := range map[string]float64{"slice_range": 1, "num_workers": 1, "call_rate_limit": 1} {
		var n float64
		raw, ok := p.given[field]
		if ok && string(raw) != "null" && (json.Unmarshal(raw, &n) != nil || n < least || n != float64(int64(n))) {
			p.wrong(field, "must be a whole number of at least %v.", least)
			delete(p.fields, ours[field])
		}
	}
	var names []string
	if raw, ok := p.given["api_retention_streams"]; ok && json.Unmarshal(raw, &names) != nil {
		p.wrong("api_retention_streams", "must be a list of names.")
	}
	slices.SortFunc(p.violations, func(x, y connector.Violation) int { return strings.Compare(x.Field, y.Field) })
}

// refuse adds the violations of our configuration, under the names of the given one.
func (p *airbyteConfig) refuse(failure *connector.Failure) {
	for _, v := range failure.Violations {
		name := strings.TrimPrefix(v.Field, "config.")
		for theirs, our := range ours {
			if our == name {
				name = theirs
			}
		}
		p.wrong(name, "%s", v.Description)
	}
}
