package config

import (
	"cmp"
	"encoding/json"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/stripe/clock"
	"github.com/stripe-connector/stripe-connector/connector/stripe/internal/refusal"
	"github.com/stripe-connector/stripe-connector/connector/stripe/schema"
)

var testNow = time.Date(2024, 6, 15, 12, 30, 15, 500, time.UTC)

func parse(raw string) (Config, error) {
	return Parse(connector.NewConfig(raw), []string{"http://127.0.0.1:9999/"}, testNow)
}

func TestParseConfig(t *testing.T) {
	tests := map[string]struct {
		raw  string
		want Config
	}{
		"least":                 {`{"api_key":"rk_test_1"}`, Config{APIKey: connector.NewSecret("rk_test_1"), Start: time.Date(2023, 6, 15, 12, 30, 15, 0, time.UTC)}},
		"lookback":              {`{"api_key":"rk_test_1","lookback_days":600}`, Config{APIKey: connector.NewSecret("rk_test_1"), Lookback: 600 * clock.Day, Start: time.Date(2021, 10, 23, 12, 30, 15, 0, time.UTC)}},
		"date":                  {`{"api_key":"rk_test_1","start_date":"2024-01-31"}`, Config{APIKey: connector.NewSecret("rk_test_1"), Start: time.Date(2024, 1, 31, 0, 0, 0, 0, time.UTC)}},
		"time":                  {`{"api_key":"rk_test_1","start_date":"2024-01-31T01:00:00+02:00"}`, Config{APIKey: connector.NewSecret("rk_test_1"), Start: time.Date(2024, 1, 30, 23, 0, 0, 0, time.UTC)}},
		"nulls":                 {`{"api_key":"rk_test_1","start_date":null,"account":null,"api_base":null,"lookback_days":null}`, Config{APIKey: connector.NewSecret("rk_test_1"), Start: time.Date(2023, 6, 15, 12, 30, 15, 0, time.UTC)}},
		"connected":             {`{"api_key":"sk_live_1","account":"acct_1","start_date":"2024-01-31"}`, Config{APIKey: connector.NewSecret("sk_live_1"), Account: "acct_1", Start: time.Date(2024, 1, 31, 0, 0, 0, 0, time.UTC)}},
		"Stripe":                {`{"api_key":"sk_live_1","api_base":"https://api.stripe.com/","start_date":"2024-01-31"}`, Config{APIKey: connector.NewSecret("sk_live_1"), Start: time.Date(2024, 1, 31, 0, 0, 0, 0, time.UTC)}},
		"Stripe's other names":  {`{"api_key":"sk_live_1","api_base":"HTTPS://api.stripe.com.:443//","start_date":"2024-01-31"}`, Config{APIKey: connector.NewSecret("sk_live_1"), Start: time.Date(2024, 1, 31, 0, 0, 0, 0, time.UTC)}},
		"allowed's other names": {`{"api_key":"sk_live_1","api_base":"HTTP://127.0.0.1.:9999///","start_date":"2024-01-31"}`, Config{APIKey: connector.NewSecret("sk_live_1"), APIBase: "http://127.0.0.1:9999", Start: time.Date(2024, 1, 31, 0, 0, 0, 0, time.UTC)}},
		"the account's version": {`{"api_key":"sk_live_1","api_version":"account","start_date":"2024-01-31"}`, Config{APIKey: connector.NewSecret("sk_live_1"), APIVersion: "account", Start: time.Date(2024, 1, 31, 0, 0, 0, 0, time.UTC)}},
		"a version":             {`{"api_key":"sk_live_1","api_version":"2026-07-29.dahlia","start_date":"2024-01-31"}`, Config{APIKey: connector.NewSecret("sk_live_1"), APIVersion: "2026-07-29.dahlia", Start: time.Date(2024, 1, 31, 0, 0, 0, 0, time.UTC)}},
		"allowed":               {`{"api_key":"sk_live_1","api_base":"http://127.0.0.1:9999","start_date":"2024-01-31"}`, Config{APIKey: connector.NewSecret("sk_live_1"), APIBase: "http://127.0.0.1:9999", Start: time.Date(2024, 1, 31, 0, 0, 0, 0, time.UTC)}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := parse(test.raw)
			if err != nil {
				t.Fatal(err)
			}
			test.want.APIVersion = cmp.Or(test.want.APIVersion, DefaultVersion)
			test.want.UpdateMode, test.want.Overlap, test.want.Settling = UpdateAuto, defaultOverlap, defaultSettling
			if diff := gocmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestParseConfigRefuses(t *testing.T) {
	tests := map[string]struct {
		raw    string
		fields map[string]string // field -> part of the description
	}{
		"nothing":           {``, map[string]string{"config.api_key": "is missing"}},
		"no object":         {`[]`, map[string]string{"config": "JSON object"}},
		"empty key":         {`{"api_key":""}`, map[string]string{"config.api_key": "is missing"}},
		"key no text":       {`{"api_key":5}`, map[string]string{"config.api_key": "must be a string"}},
		"malformed key":     {`{"api_key":"Planted secret"}`, map[string]string{"config.api_key": "malformed"}},
		"key with newline":  {`{"api_key":"sk_test_Planted\n"}`, map[string]string{"config.api_key": "malformed"}},
		"publishable key":   {`{"api_key":"pk_test_Planted"}`, map[string]string{"config.api_key": "publishable"}},
		"bad date":          {`{"api_key":"rk_test_Planted","start_date":"last week"}`, map[string]string{"config.start_date": "2024-01-31"}},
		"future":            {`{"api_key":"rk_test_Planted","start_date":"2024-06-16"}`, map[string]string{"config.start_date": "must be in the past, got 2024-06-16"}},
		"601 days":          {`{"api_key":"rk_test_Planted","lookback_days":601}`, map[string]string{"config.lookback_days": "between 0 and 600"}},
		"-1 day":            {`{"api_key":"rk_test_Planted","lookback_days":-1}`, map[string]string{"config.lookback_days": "between 0 and 600"}},
		"half a day":        {`{"api_key":"rk_test_Planted","lookback_days":0.5}`, map[string]string{"config.lookback_days": "whole number"}},
		"days as text":      {`{"api_key":"rk_test_Planted","lookback_days":"5"}`, map[string]string{"config.lookback_days": "whole number"}},
		"bad account":       {`{"api_key":"rk_test_Planted","account":"cus_1"}`, map[string]string{"config.account": "acct_"}},
		"no rate":           {`{"api_key":"rk_test_Planted","max_requests_per_second":0}`, map[string]string{"config.max_requests_per_second": "between 0.1"}},
		"tiny rate":         {`{"api_key":"rk_test_Planted","max_requests_per_second":1e-10}`, map[string]string{"config.max_requests_per_second": "between 0.1"}},
		"unknown version":   {`{"api_key":"rk_test_Planted","api_version":"2026-08-26"}`, map[string]string{"config.api_version": `Did you mean "2026-08-26.dahlia"? Choose "account" for the account's own, or one of 2022-11-15, 2023-10-16, 2025-09-30.clover`}},
		"an old version":    {`{"api_key":"rk_test_Planted","api_version":"2015-10-16"}`, map[string]string{"config.api_version": "whose shapes this release doesn't know"}},
		"misspelt":          {`{"api_key":"rk_test_Planted","start_dat":"2024-01-31"}`, map[string]string{"config.start_dat": `Did you mean "start_date"?`}},
		"elsewhere":         {`{"api_key":"rk_test_Planted","api_base":"https://evil.example"}`, map[string]string{"config.api_base": "--allow-api-base"}},
		"prefix of allowed": {`{"api_key":"rk_test_Planted","api_base":"http://127.0.0.1:9999@evil.example"}`, map[string]string{"config.api_base": "without a user"}},
		"no URL":            {`{"api_key":"rk_test_Planted","api_base":"ftp://x"}`, map[string]string{"config.api_base": "must be a URL"}},
		"all at once": {`{"lookback_days":601,"start_date":"x","nonsense":1}`, map[string]string{
			"config.api_key": "is missing", "config.lookback_days": "601", "config.start_date": "must be a date", "config.nonsense": "not a configuration field"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := parse(test.raw)
			refusal.Expect(t, err, test.fields)
		})
	}
}

// TestConfigSchemaAgrees checks that the schema sent by Spec and the parser have the same fields.
func TestConfigSchemaAgrees(t *testing.T) {
	var schema struct {
		Properties map[string]any
	}
	if err := json.Unmarshal(Schema, &schema); err != nil {
		t.Fatal(err)
	}
	got := make([]string, 0, len(schema.Properties))
	for field := range schema.Properties {
		got = append(got, field)
	}
	want := map[string]bool{}
	for _, field := range fields {
		want[field] = true
	}
	if len(got) != len(want) {
		t.Errorf("the schema has %v, the parser %v", got, fields)
	}
	for _, field := range got {
		if !want[field] {
			t.Errorf("the parser does not know %s", field)
		}
	}
}

// TestVersionsOfSchemaAgree checks that the configuration's schema offers exactly the versions that Parse accepts.
func TestVersionsOfSchemaAgree(t *testing.T) {
	var config struct {
		Properties struct {
			APIVersion struct {
				Enum    []string
				Default string
			} `json:"api_version"`
		}
	}
	if err := json.Unmarshal(Schema, &config); err != nil {
		t.Fatal(err)
	}
	want := append([]string{VersionOfAccount}, schema.Versions()...)
	if diff := gocmp.Diff(want, config.Properties.APIVersion.Enum); diff != "" {
		t.Error(diff)
	}
	if got := config.Properties.APIVersion.Default; got != DefaultVersion {
		t.Errorf("the schema's default is %q, want %q", got, DefaultVersion)
	}
}

func TestVersionAdvice(t *testing.T) {
	tests := map[string]struct {
		config Config
		events string
		want   string // words of the advice; none if it is empty
	}{
		"same version":           {Config{APIVersion: "2023-10-16", UpdateMode: UpdateAuto}, "2023-10-16", ""},
		"unknown":                {Config{APIVersion: "2023-10-16", UpdateMode: UpdateAuto}, "", ""},
		"payloads are used":      {Config{APIVersion: "2023-10-16", UpdateMode: UpdatePayload}, "2026-08-26.dahlia", ""},
		"payloads aren't used":   {Config{APIVersion: "2023-10-16", UpdateMode: UpdateReread}, "2026-08-26.dahlia", ""},
		"another version":        {Config{APIVersion: "2023-10-16", UpdateMode: UpdateAuto}, "2026-08-26.dahlia", `set api_version to "account"`},
		"one that can't be read": {Config{APIVersion: "2023-10-16", UpdateMode: UpdateAuto}, "2019-02-19", "can't read in that version"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := test.config.VersionAdvice(test.events)
			if (got == "") != (test.want == "") || !strings.Contains(got, test.want) || test.want != "" && !strings.Contains(got, test.events) {
				t.Errorf("got %q", got)
			}
		})
	}
}
