package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/prototext"

	"github.com/stripe-connector/stripe-connector/connector"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

const plantedKey = "sk_live_planted0123456789"

var secretSchema = json.RawMessage(`{
	"type": "object",
	"properties": {
		"api_key": {"type": "string", "writeOnly": true},
		"start_date": {"type": "string"},
		"untyped": {"$ref": "#/$defs/key"},
		"nested": {"type": "object", "properties": {
			"token": {"type": "string", "writeOnly": true}, "open": {"type": "string"}
		}},
		"list": {"type": "array", "items": {"type": "string"}},
		"keys": {"type": "array", "writeOnly": true, "items": {"type": "string"}}
	}
}`)

func TestSecretsOf(t *testing.T) {
	config := object(t, `{
		"api_key": "secret-key", "start_date": "2024-01-01", "untyped": "secret-untyped",
		"nested": {"token": "secret-token", "open": "open-nested", "other": "secret-other"},
		"list": ["open-item"], "keys": ["secret-first", "secret-first-and-more"],
		"apikey": "secret-misspelt", "short": "short"
	}`)
	text := "2024-01-01 open-nested open-item short"
	for _, secret := range []string{
		"secret-key", "secret-untyped", "secret-token", "secret-other", "secret-first", "secret-first-and-more",
		"secret-misspelt",
	} {
		got := secretsOf(config, secretSchema).clean(text + " " + secret + "!")
		if want := text + " [secret]!"; got != want {
			t.Errorf("cleaned %q, want %q", got, want)
		}
	}
	if got := secretsOf(config, json.RawMessage(`{`)).clean("2024-01-01"); got != "[secret]" {
		t.Errorf("without a schema everything is secret, got %q", got)
	}
	if got := secretsOf(nil, secretSchema).clean("text"); got != "text" {
		t.Errorf("without a configuration: %q", got)
	}
}

func TestCleanText(t *testing.T) {
	tests := map[string]struct{ text, want string }{
		"short":     {"a", "a"},
		"not UTF-8": {"a\xff", "a\uFFFD"},
		"too long":  {strings.Repeat("é", longestText), strings.Repeat("é", longestText/2) + "…"},
		"cut inside a character": {
			"a" + strings.Repeat("é", longestText), "a" + strings.Repeat("é", longestText/2-1) + "\uFFFD…",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := (secrets{}).clean(test.text); got != test.want {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
}

// leaks returns a source that leaks the configuration in every way it can.
func leaks(how string) *fakeSource {
	fail := func(config connector.Config) error {
		text := "call with " + string(config.JSON())
		switch how {
		case "error":
			return errors.New(text)
		case "panic":
			panic(text)
		case "panic with an error":
			panic(errors.New(text))
		case "status":
			return status.Error(codes.NotFound, text)
		}
		return fmt.Errorf("wrap: %w", leakyFailure(text))
	}
	return &fakeSource{
		spec: connector.Spec{ConfigSchema: secretSchema},
		check: func(_ context.Context, req connector.CheckRequest) (connector.CheckResult, error) {
			if how == "messages" {
				failure := leakyFailure(string(req.Config.JSON()))
				return connector.CheckResult{Problems: []*connector.Failure{failure}}, nil
			}
			return connector.CheckResult{}, fail(req.Config)
		},
		discover: func(_ context.Context, req connector.DiscoverRequest) (connector.Catalog, error) {
			if how == "messages" {
				stream := connector.Stream{Name: "charges", Unavailable: leakyFailure(string(req.Config.JSON()))}
				return connector.Catalog{Streams: []connector.Stream{stream}}, nil
			}
			return connector.Catalog{}, fail(req.Config)
		},
		read: func(ctx context.Context, req connector.ReadRequest, sink connector.Sink) (connector.Summary, error) {
			if how == "messages" {
				return leakyMessages(ctx, string(req.Config.JSON()), sink)
			}
			return connector.Summary{}, fail(req.Config)
		},
	}
}

func leakyFailure(text string) *connector.Failure {
	return &connector.Failure{
		Class: connector.Transient, Message: text, Internal: text, Stream: text, Account: text, RequestID: text, SourceCode: text,
		Violations: []connector.Violation{{Field: text, Description: text}},
	}
}

func leakyMessages(ctx context.Context, text string, sink connector.Sink) (connector.Summary, error) {
	failure := leakyFailure(text)
	err := errors.Join(
		sink.Send(ctx, &connector.LogEntry{Message: text}),
		sink.Send(ctx, &connector.StreamStatus{Failure: failure}),
	)
	return connector.Summary{Streams: []connector.StreamSummary{{Status: connector.Incomplete, Failure: failure}}}, err
}

// TestPlantedKey checks that the key appears in no output of the server: responses, errors and their details, and logs.
func TestPlantedKey(t *testing.T) {
	for _, how := range []string{"error", "failure", "panic", "panic with an error", "status", "messages"} {
		t.Run(how, func(t *testing.T) {
			f := start(t, leaks(how), Options{})
			config := object(t, `{"api_key": "`+plantedKey+`"}`)
			var out strings.Builder
			note := func(response string, err error) {
				fmt.Fprintln(&out, response, err, status.Convert(err).Proto(), status.Convert(err).Details())
			}
			check, err := f.Check(t.Context(), &connectorv1.CheckRequest{Config: config})
			note(prototext.Format(check), err)
			discover, err := f.Discover(t.Context(), &connectorv1.DiscoverRequest{Config: config})
			note(prototext.Format(discover), err)
			read := charges()
			read.Config = config
			responses, err := f.readAll(t, read)
			note(fmt.Sprint(responses), err)
			if err == nil {
				t.Error("the Read did not fail")
			}
			out.WriteString(f.logs.String())
			if strings.Contains(out.String(), plantedKey) {
				t.Errorf("the key is in:\n%s", out.String())
			}
			if !strings.HasPrefix(how, "panic") && !strings.Contains(out.String(), "[secret]") {
				t.Errorf("nothing was taken out of:\n%s", out.String())
			}
		})
	}
}
