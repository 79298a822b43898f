package server

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/stripe-connector/stripe-connector/connector"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

func TestSpec(t *testing.T) {
	source := &fakeSource{spec: connector.Spec{
		Source:           "stripe",
		ConfigSchema:     json.RawMessage(`{"type": "object"}`),
		DocumentationURL: "https://example.com",
		SyncModes:        []connector.SyncMode{connector.FullRefresh},
		Capabilities:     []connector.Capability{connector.FieldSelection, connector.Checkpoints},
	}}
	got, err := start(t, source, Options{Version: "1.2.0"}).Spec(t.Context(), &connectorv1.SpecRequest{})
	if err != nil {
		t.Fatal(err)
	}
	want := &connectorv1.SpecResponse{
		Source:             "stripe",
		Version:            "1.2.0",
		ConfigSchema:       object(t, `{"type": "object"}`),
		DocumentationUrl:   "https://example.com",
		SupportedSyncModes: []connectorv1.SyncMode{connectorv1.SyncMode_SYNC_MODE_FULL_REFRESH},
		Capabilities: []connectorv1.Capability{
			connectorv1.Capability_CAPABILITY_FIELD_SELECTION, connectorv1.Capability_CAPABILITY_CHECKPOINT_POLICY,
		},
	}
	if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
		t.Errorf("spec (-want +got):\n%s", diff)
	}

	broken := &fakeSource{spec: connector.Spec{ConfigSchema: json.RawMessage(`{`)}}
	if _, err := start(t, broken, Options{}).Spec(t.Context(), &connectorv1.SpecRequest{}); status.Code(err) != codes.Internal {
		t.Errorf("got %v for a broken schema", err)
	}
}

func TestCheck(t *testing.T) {
	problem := &connector.Failure{Class: connector.AuthError, Message: "Replace the key.", HTTPStatus: 401}
	wire := &connectorv1.Failure{
		Class: connectorv1.FailureClass_FAILURE_CLASS_AUTH, Message: "Replace the key.", HttpStatus: 401,
		RefusedBy: connectorv1.RefusedBy_REFUSED_BY_SOURCE,
	}
	streams := []connector.StreamAvailability{
		{Stream: "charges", Availability: connector.Available},
		{Stream: "refunds", Availability: connector.Unavailable, Reason: problem},
	}
	tests := map[string]struct {
		result connector.CheckResult
		want   *connectorv1.CheckResponse
	}{
		"good": {
			connector.CheckResult{Streams: streams, Account: "acct_1", AccountAttributes: map[string]string{"mode": "test"}},
			&connectorv1.CheckResponse{
				Status: connectorv1.CheckStatus_CHECK_STATUS_SUCCEEDED,
				Streams: []*connectorv1.StreamAvailability{
					{Stream: "charges", Availability: connectorv1.Availability_AVAILABILITY_AVAILABLE},
					{Stream: "refunds", Availability: connectorv1.Availability_AVAILABILITY_UNAVAILABLE, Reason: wire},
				},
				Account: "acct_1", AccountAttributes: map[string]string{"mode": "test"},
			},
		},
		"a wrong key is an answer, not an error": {
			connector.CheckResult{Problems: []*connector.Failure{problem, problem}, Streams: streams},
			&connectorv1.CheckResponse{
				Status: connectorv1.CheckStatus_CHECK_STATUS_FAILED, Problems: []*connectorv1.Failure{wire, wire},
			},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var requested connector.CheckRequest
			f := start(t, &fakeSource{check: func(
				_ context.Context, req connector.CheckRequest,
			) (connector.CheckResult, error) {
				requested = req
				return test.result, nil
			}}, Options{})
			got, err := f.Check(t.Context(), &connectorv1.CheckRequest{
				Config: object(t, `{"api_key": "k"}`), Streams: []string{"charges", "refunds"},
			})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got, protocmp.Transform()); diff != "" {
				t.Errorf("response (-want +got):\n%s", diff)
			}
			want := connector.CheckRequest{Config: connector.NewConfig(`{"api_key":"k"}`), Streams: []string{"charges", "refunds"}}
			if diff := cmp.Diff(want, requested); diff != "" {
				t.Errorf("request (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDiscover(t *testing.T) {
	var requested connector.DiscoverRequest
	f := start(t, &fakeSource{discover: func(
		_ context.Context, req connector.DiscoverRequest,
	) (connector.Catalog, error) {
		requested = req
		return connector.Catalog{Streams: []connector.Stream{
			{
				Name: "lines", Description: "Lines.", JSONSchema: json.RawMessage(`{"type": "object"}`),
				PrimaryKey: []string{"invoice", "id"}, CursorField: "created", SyncModes: []connector.SyncMode{connector.Incremental},
				Freshness: connector.ByTrailing, EmitsDeletes: true, Parent: "invoices",
				Relations:  []connector.Relation{{Field: "price", Stream: "prices", ForeignField: "id"}},
				Permission: "Invoices: read", DocumentationURL: "https://example.com", Availability: connector.Unavailable,
				Unavailable: &connector.Failure{Class: connector.PermissionError, Message: "No."},
			},
			{Name: "plans"},
		}}, nil
	}}, Options{})
	got, err := f.Discover(t.Context(), &connectorv1.DiscoverRequest{
		Config: object(t, `{}`), OnlyAvailable: true, IncludeUnavailable: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	want := &connectorv1.DiscoverResponse{Streams: []*connectorv1.Stream{
		{
			Name: "lines", Description: "Lines.", JsonSchema: object(t, `{"type": "object"}`),
			PrimaryKey: []string{"invoice", "id"}, CursorField: "created",
			SupportedSyncModes: []connectorv1.SyncMode{connectorv1.SyncMode_SYNC_MODE_INCREMENTAL},
			Freshness:          connectorv1.Freshness_FRESHNESS_TRAILING, EmitsDeletes: true, Parent: "invoices",
			Relations:  []*connectorv1.Relation{{Field: "price", Stream: "prices", ForeignField: "id"}},
			Permission: "Invoices: read", DocumentationUrl: "https://example.com",
			Availability: connectorv1.Availability_AVAILABILITY_UNAVAILABLE,
			UnavailableReason: &connectorv1.Failure{
				Class: connectorv1.FailureClass_FAILURE_CLASS_PERMISSION, Message: "No.",
				RefusedBy: connectorv1.RefusedBy_REFUSED_BY_SOURCE,
			},
		},
		{Name: "plans"},
	}}
	if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
		t.Errorf("response (-want +got):\n%s", diff)
	}
	wantAsked := connector.DiscoverRequest{Config: connector.NewConfig(`{}`), OnlyAvailable: true, IncludeUnavailable: true}
	if diff := cmp.Diff(wantAsked, requested); diff != "" {
		t.Errorf("request (-want +got):\n%s", diff)
	}
}

func TestUnaryErrors(t *testing.T) {
	failure := &connector.Failure{Class: connector.ConfigError, Message: "config.api_key: must be set"}
	f := start(t, &fakeSource{
		check: func(context.Context, connector.CheckRequest) (connector.CheckResult, error) {
			return connector.CheckResult{}, failure
		},
		discover: func(context.Context, connector.DiscoverRequest) (connector.Catalog, error) {
			return connector.Catalog{}, failure
		},
	}, Options{})
	if _, err := f.Check(t.Context(), &connectorv1.CheckRequest{}); status.Code(err) != codes.InvalidArgument {
		t.Errorf("Check: %v", err)
	}
	if _, err := f.Discover(t.Context(), &connectorv1.DiscoverRequest{}); status.Code(err) != codes.InvalidArgument {
		t.Errorf("Discover: %v", err)
	}
	broken := start(t, &fakeSource{discover: func(
		context.Context, connector.DiscoverRequest,
	) (connector.Catalog, error) {
		return connector.Catalog{Streams: []connector.Stream{{Name: "plans", JSONSchema: json.RawMessage(`[`)}}}, nil
	}}, Options{})
	if _, err := broken.Discover(t.Context(), &connectorv1.DiscoverRequest{}); status.Code(err) != codes.Internal {
		t.Errorf("got %v for a broken schema", err)
	}
}
