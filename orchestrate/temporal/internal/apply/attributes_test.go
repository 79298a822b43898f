package apply_test

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/serviceerror"
	"google.golang.org/grpc"

	"github.com/stripe-connector/stripe-connector/orchestrate/temporal"
	"github.com/stripe-connector/stripe-connector/orchestrate/temporal/internal/apply"
)

// TestAttributes checks that a plan names the search attributes that aren't registered, and registers them or says how to.
func TestAttributes(t *testing.T) {
	o := options(t, "a ")
	both := []string{temporal.AttributePipeline, temporal.AttributeStatus}
	plan := makePlan(t, o)
	if diff := cmp.Diff(both, plan.Attributes); diff != "" {
		t.Fatalf("(-want +got):\n%s", diff)
	}
	var text strings.Builder
	if err := plan.Print(&text); err != nil || !strings.Contains(text.String(), "+ search attributes: register StripeConnectorPipeline, StripeConnectorStatus (Keyword)\n") {
		t.Errorf("got %q, %v", text.String(), err)
	}
	for _, refusal := range []error{serviceerror.NewPermissionDenied("planted", ""), serviceerror.NewUnimplemented("planted")} {
		err := plan.Register(t.Context(), connected(t, fails[*operatorservice.AddSearchAttributesRequest](refusal, false)))
		for _, want := range []string{
			"planted: workflows run without them; register them with `temporal operator search-attribute create --namespace " + server.Namespace +
				" --name StripeConnectorPipeline --type Keyword --name StripeConnectorStatus --type Keyword`",
			"`tcld namespace search-attributes add --namespace " + server.Namespace + " --search-attribute StripeConnectorPipeline=Keyword --search-attribute StripeConnectorStatus=Keyword`",
		} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, want an error with %q", err, want)
			}
		}
	}
	registered := &operatorservice.ListSearchAttributesResponse{CustomAttributes: map[string]enumspb.IndexedValueType{
		temporal.AttributePipeline: enumspb.INDEXED_VALUE_TYPE_TEXT, temporal.AttributeStatus: enumspb.INDEXED_VALUE_TYPE_KEYWORD}}
	for want, between := range map[string]grpc.UnaryClientInterceptor{
		"The search attributes can't be listed: planted":                                                             fails[*operatorservice.ListSearchAttributesRequest](serviceerror.NewPermissionDenied("planted", ""), false),
		"The search attribute StripeConnectorPipeline is registered as Text, not as Keyword, so workflows set none.": answers(registered),
	} {
		other, err := apply.Make(t.Context(), connected(t, between), o)
		if err != nil || len(other.Attributes) > 0 || len(other.Warnings) != 1 || other.Warnings[0] != want {
			t.Errorf("got %+v, %v, want the warning %q", other, err, want)
		}
	}
	for range 2 { // the second time, another apply has registered them meanwhile
		if err := plan.Register(t.Context(), connected(t)); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, func() bool { return len(makePlan(t, o).Attributes) == 0 })
}

// answers returns an interceptor that answers requests for search attributes.
func answers(with *operatorservice.ListSearchAttributesResponse) grpc.UnaryClientInterceptor {
	return func(ctx context.Context, method string, request, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
		if r, ok := reply.(*operatorservice.ListSearchAttributesResponse); ok {
			r.CustomAttributes = with.GetCustomAttributes()
			return nil
		}
		return invoke(ctx, method, request, reply, cc, opts...)
	}
}
