package server

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/stripe-connector/stripe-connector/connector"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// nameable is a schema with two fields that may refer to a secret.
var nameable = json.RawMessage(`{"type": "object", "properties": {
	"api_key": {"anyOf": [{"type": "string"}, {"type": "object"}], "writeOnly": true},
	"start_date": {"type": "string"},
	"nested": {"type": "object", "properties": {"token": {"writeOnly": true}, "open": {"type": "object"}}}
}}`)

// capturingSource is a source that records the configurations it receives.
type capturingSource struct {
	mu  sync.Mutex
	got []string
}

func (h *capturingSource) hear(config connector.Config) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.got = append(h.got, string(config.JSON()))
}

func (h *capturingSource) source() *fakeSource {
	return &fakeSource{
		spec: connector.Spec{ConfigSchema: nameable},
		check: func(_ context.Context, req connector.CheckRequest) (connector.CheckResult, error) {
			h.hear(req.Config)
			return connector.CheckResult{}, nil
		},
		discover: func(_ context.Context, req connector.DiscoverRequest) (connector.Catalog, error) {
			h.hear(req.Config)
			return connector.Catalog{}, nil
		},
		read: func(_ context.Context, req connector.ReadRequest, _ connector.Sink) (connector.Summary, error) {
			h.hear(req.Config)
			return connector.Summary{}, nil
		},
	}
}

func secretsIn(t *testing.T, dir string) *SecretsDir {
	t.Helper()
	secrets, err := OpenSecrets(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = secrets.Close() })
	return secrets
}

// TestNamedSecretsReachTheSource has configurations that refer to secrets in a mounted directory, which changes between
// calls.
func TestNamedSecretsReachTheSource(t *testing.T) {
	m := newMount(t, map[string]string{"stripe-prod": " sk_live_1\n", "token": "t"})
	h := &capturingSource{}
	f := start(t, h.source(), Options{Secrets: secretsIn(t, m.dir)})
	config := object(t, `{"api_key": {"secret": "stripe-prod"}, "start_date": "2024-01-01",
		"nested": {"token": {"secret": "token"}, "open": {"secret": "token"}}}`)
	if _, err := f.Check(t.Context(), &connectorv1.CheckRequest{Config: config}); err != nil {
		t.Fatal(err)
	}
	m.swap(t, map[string]string{"stripe-prod": "sk_live_2", "token": "t"})
	if _, err := f.Discover(t.Context(), &connectorv1.DiscoverRequest{Config: config}); err != nil {
		t.Fatal(err)
	}
	req := charges()
	req.Config = config
	if _, err := f.readAll(t, req); err != nil {
		t.Fatal(err)
	}
	with := func(key string) string {
		return `{"api_key":"` + key + `","nested":{"open":{"secret":"token"},"token":"t"},"start_date":"2024-01-01"}`
	}
	if diff := cmp.Diff([]string{with("sk_live_1"), with("sk_live_2"), with("sk_live_2")}, h.got); diff != "" {
		t.Errorf("configurations (-want +got):\n%s", diff)
	}
}

func TestNamedSecretsRefused(t *testing.T) {
	outside := t.TempDir()
	if err := os.WriteFile(filepath.Join(outside, "key"), []byte("sk_live_outside"), 0o600); err != nil {
		t.Fatal(err)
	}
	m := newMount(t, map[string]string{
		"good": "sk_live_good", "empty": "\n", "binary": "\xff\xfe", "huge": strings.Repeat("k", largestSecret+1),
	})
	if err := os.Symlink(filepath.Join(outside, "key"), m.path("link-out")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(m.path("folder"), 0o700); err != nil {
		t.Fatal(err)
	}
	outsideName := filepath.Base(outside)
	tests := map[string]struct{ value, want string }{
		"missing":         {`{"secret": "stripe-test"}`, "does not have"},
		"key as name":     {`{"secret": "` + plantedKey + `"}`, "does not have"},
		"parent":          {`{"secret": "../` + outsideName + `/key"}`, "an invalid name"},
		"absolute":        {`{"secret": "` + outside + `/key"}`, "an invalid name"},
		"dots":            {`{"secret": ".."}`, "an invalid name"},
		"hidden":          {`{"secret": "..data"}`, "an invalid name"},
		"within a folder": {`{"secret": "folder/key"}`, "an invalid name"},
		"NUL":             {`{"secret": "good\u0000"}`, "an invalid name"},
		"line break":      {`{"secret": "good\n"}`, "an invalid name"},
		"nothing":         {`{"secret": ""}`, "an invalid name"},
		"link out":        {`{"secret": "link-out"}`, "cannot read"},
		"folder":          {`{"secret": "folder"}`, "cannot read"},
		"empty file":      {`{"secret": "empty"}`, "cannot read"},
		"binary file":     {`{"secret": "binary"}`, "cannot read"},
		"huge file":       {`{"secret": "huge"}`, "cannot read"},
		"no name":         {`{}`, `{"secret": "NAME"}`},
		"other member":    {`{"secret": "good", "more": 1}`, `{"secret": "NAME"}`},
		"number":          {`{"secret": 1}`, `{"secret": "NAME"}`},
		"deep":            {`{"secret": {"secret": "good"}}`, `{"secret": "NAME"}`},
	}
	h := &capturingSource{}
	f := start(t, h.source(), Options{Secrets: secretsIn(t, m.dir)})
	none := start(t, h.source(), Options{})
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			refusedEverywhere(t, f, object(t, `{"api_key": `+test.value+`}`), "config.api_key", test.want)
		})
	}
	t.Run("no folder", func(t *testing.T) {
		refusedEverywhere(t, none, object(t, `{"api_key": {"secret": "good"}}`), "config.api_key", "--secrets-dir")
		refusedEverywhere(t, none, object(t, `{"nested": {"token": {"secret": "good"}}}`), "config.nested.token", "--secrets-dir")
	})
	if len(h.got) > 0 {
		t.Errorf("the source was asked with %q", h.got)
	}
}

// refusedEverywhere checks that each RPC refuses config, names the field and the remedy, and quotes no value.
func refusedEverywhere(t *testing.T, f *fixture, config *structpb.Struct, field, want string) {
	t.Helper()
	read := charges()
	read.Config = config
	_, readErr := f.readAll(t, read)
	_, discoverErr := f.Discover(t.Context(), &connectorv1.DiscoverRequest{Config: config})
	for rpc, err := range map[string]error{"Read": readErr, "Discover": discoverErr} {
		d := detailsOf(t, err)
		if status.Code(err) != codes.InvalidArgument || len(d.bad.GetFieldViolations()) != 1 || d.bad.GetFieldViolations()[0].GetField() != field ||
			!strings.Contains(d.bad.GetFieldViolations()[0].GetDescription(), want) {
			t.Errorf("%s: %v, want INVALID_ARGUMENT of %s with %q", rpc, err, field, want)
		}
		if text := prototext.Format(status.Convert(err).Proto()); strings.Contains(text, "planted") || strings.Contains(text, "outside") {
			t.Errorf("%s repeats what came: %s", rpc, text)
		}
	}
	checked, err := f.Check(t.Context(), &connectorv1.CheckRequest{Config: config})
	if err != nil || checked.GetStatus() != connectorv1.CheckStatus_CHECK_STATUS_FAILED || len(checked.GetProblems()) != 1 ||
		checked.GetProblems()[0].GetViolations()[0].GetField() != field {
		t.Errorf("Check: %s %v, want the problem", protojson.Format(checked), err)
	}
	if text := protojson.Format(checked) + f.logs.String(); strings.Contains(text, "planted") || strings.Contains(text, "sk_live_outside") {
		t.Errorf("Check or the log repeats what came: %s", text)
	}
}

// TestNamedSecretsOfTokens has callers whose tokens allow different secrets.
func TestNamedSecretsOfTokens(t *testing.T) {
	m := newMount(t, map[string]string{"ours": "sk_live_ours", "theirs": "sk_live_theirs"})
	tokens, _, _ := tokensIn(t, firstToken+"\n"+secondToken+" ours and-more\n")
	f := start(t, (&capturingSource{}).source(), Options{Secrets: secretsIn(t, m.dir), Tokens: tokens})
	tests := map[string]struct {
		token, secret string
		want          codes.Code
	}{
		"any":     {firstToken, "theirs", codes.OK},
		"own":     {secondToken, "ours", codes.OK},
		"another": {secondToken, "theirs", codes.InvalidArgument},
		"missing": {secondToken, "nobodys", codes.InvalidArgument},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			ctx := metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+test.token)
			_, err := f.Discover(ctx, &connectorv1.DiscoverRequest{Config: object(t, `{"api_key": {"secret": "`+test.secret+`"}}`)})
			if status.Code(err) != test.want {
				t.Errorf("got %v, want %s", err, test.want)
			}
			if err != nil && !strings.Contains(err.Error(), "may not use") {
				t.Errorf("%v reveals whether the secret exists", err)
			}
		})
	}
}

// TestNamedSecretsAreRedacted has a source that leaks a secret that was referred to by name.
func TestNamedSecretsAreRedacted(t *testing.T) {
	m := newMount(t, map[string]string{"prod": plantedKey})
	source := leaks("message")
	source.spec.ConfigSchema = nameable
	f := start(t, source, Options{Secrets: secretsIn(t, m.dir)})
	req := charges()
	req.Config = object(t, `{"api_key": {"secret": "prod"}}`)
	_, err := f.readAll(t, req)
	if text := prototext.Format(status.Convert(err).Proto()); err == nil || strings.Contains(text, "planted") || !strings.Contains(text, "[secret]") {
		t.Errorf("got %s", text)
	}
}
