package connectortest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/stripe-connector/stripe-connector/connector"
)

// configText returns a configuration as JSON; no configuration is an empty object.
func configText(c connector.Config) json.RawMessage {
	if text := c.JSON(); text != nil {
		return text
	}
	return json.RawMessage("{}")
}

// checkConfigs calls every method with configurations that don't work.
func checkConfigs(ctx context.Context, t *trial) {
	bad := maps.Clone(t.options.BadConfigs)
	if bad == nil {
		bad = map[string]connector.Config{}
	}
	maps.Copy(bad, t.misconfigured())
	for _, field := range slices.Sorted(maps.Keys(bad)) {
		config := bad[field]
		result, err := t.source.Check(ctx, connector.CheckRequest{Config: config})
		t.findSecrets(err)
		t.findSecrets(result)
		switch {
		case err != nil:
			t.broke("check", "with an invalid %s, Check returned the error %v", field, err)
		case len(result.Problems) == 0:
			t.broke("check", "with an invalid %s, Check found no problem", field)
		default:
			t.judgeRefusal("bad-config", field, "Check", result.Problems[0])
		}
		_, err = t.source.Discover(ctx, connector.DiscoverRequest{Config: config})
		t.judgeRefusal("bad-config", field, "Discover", err)
		req := t.request(t.modes()[0])
		req.Config = config
		t.refusedRead(ctx, req, "bad-config", field)
	}
}

// misconfigured returns configurations in which one property has a value of a type that its schema doesn't allow, and one
// that isn't an object.
func (t *trial) misconfigured() map[string]connector.Config {
	var schema struct {
		Properties map[string]json.RawMessage `json:"properties"`
		Additional *bool                      `json:"additionalProperties"`
	}
	bad := map[string]connector.Config{"config": connector.NewConfig(`["no object"]`)}
	if json.Unmarshal(t.spec.ConfigSchema, &schema) != nil {
		return bad
	}
	with := func(name string, value any) connector.Config {
		members := map[string]any{}
		_ = json.Unmarshal(configText(t.options.Config), &members) // checkCatalog found it to be an object
		members[name] = value
		return connector.NewConfig(jsonOf(members))
	}
	for name := range schema.Properties {
		bad["config."+name] = with(name, []any{[]any{true}})
	}
	if schema.Additional != nil && !*schema.Additional {
		bad["config.no_such_field"] = with("no_such_field", "x")
	}
	return bad
}

// refusedRead performs a Read with a bad request, which must fail before anything is sent.
func (t *trial) refusedRead(ctx context.Context, req connector.ReadRequest, promise, field string) {
	o := t.read(ctx, t.source, req, nil)
	if o.hung {
		return
	}
	if o.records() > 0 {
		t.broke(promise, "with an invalid %s, a Read sent records", field)
		return
	}
	t.judgeRefusal(promise, field, "Read", o.err)
}

// judgeRefusal checks that an error is a CONFIG failure that names a field.
func (t *trial) judgeRefusal(promise, field, method string, err error) {
	t.findSecrets(err)
	if err == nil {
		t.broke(promise, "with an invalid %s, %s succeeded", field, method)
		return
	}
	f, ok := errors.AsType[*connector.Failure](err)
	switch {
	case !ok:
		t.broke("errors", "with an invalid %s, %s returned %T: %v", field, method, err, err)
	case f.Class != connector.ConfigError:
		t.broke(promise, "with an invalid %s, %s returned a failure of class %s: %v", field, method, f.Class, err)
	case !slices.ContainsFunc(f.Violations, func(v connector.Violation) bool { return strings.HasPrefix(v.Field, field) }):
		t.broke(promise, "with an invalid %s, %s named %+v", field, method, f.Violations)
	}
}

// checkStreams requests streams and fields that don't exist.
func checkStreams(ctx context.Context, t *trial) {
	for _, mode := range t.modes() {
		wrong := func(change func(req *connector.ReadRequest) (field string)) {
			req := t.request(mode)
			field := change(&req)
			t.refusedRead(ctx, req, "bad-stream", field)
		}
		wrong(func(req *connector.ReadRequest) string { req.Streams = nil; return "streams" })
		wrong(func(req *connector.ReadRequest) string {
			req.Streams = append(req.Streams, connector.ConfiguredStream{Stream: "no_such_stream", SyncMode: mode})
			return fmt.Sprintf("streams[%d].stream", len(req.Streams)-1)
		})
		wrong(func(req *connector.ReadRequest) string {
			req.Streams = append(req.Streams, req.Streams[0])
			return fmt.Sprintf("streams[%d].stream", len(req.Streams)-1)
		})
		if t.supports(connector.FieldSelection) {
			wrong(func(req *connector.ReadRequest) string {
				req.Streams[0].Fields = []string{"no_such_field_at_all"}
				return "streams[0].fields[0]"
			})
		}
	}
}

// checkStates sends states that aren't the source's.
func checkStates(ctx context.Context, t *trial) {
	for _, mode := range t.modes() {
		req := t.request(mode)
		good := t.mustRead(ctx, t.source, req, "bad-state")
		if good == nil {
			return
		}
		states := good.states()
		if len(states) == 0 {
			t.broke("complete", "a complete Read has no state")
			return
		}
		last := states[0]
		with := func(field string, more ...connector.StreamState) {
			req := t.request(mode)
			req.States = more
			t.refusedRead(ctx, req, "bad-state", field)
		}
		for _, text := range invalidStates(last.State) {
			with("states[0].content", connector.StreamState{Stream: last.Stream, Account: last.Account, State: json.RawMessage(text)})
		}
		with("states[0].stream", connector.StreamState{Stream: "no_such_stream", State: last.State})
		with("states[1].stream", last, last)
		with("states[0].account", connector.StreamState{Stream: last.Stream, Account: last.Account + "_other", State: last.State})
	}
}

// invalidStates returns texts that cannot be states of the source, nor of a later release of it, which may ask to be tried elsewhere.
func invalidStates(good json.RawMessage) []string {
	texts := []string{`{}`, `null`, `[]`, `"x"`, `7`, `{"version":-1}`, `{`, string(good) + string(good)}
	return append(texts, string(good[:len(good)-1]))
}
