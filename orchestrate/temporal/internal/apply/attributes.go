package apply

import (
	"context"
	"errors"
	"fmt"
	"strings"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"

	"github.com/stripe-connector/stripe-connector/orchestrate/temporal"
)

// attributes are the search attributes that workflows set, all of type Keyword, if they are registered.
var attributes = []string{temporal.AttributePipeline, temporal.AttributeStatus}

// missingAttributes finds the search attributes that aren't registered in the namespace.
func (p *Plan) missingAttributes(ctx context.Context, s *session) error {
	var registered *operatorservice.ListSearchAttributesResponse
	err := s.call(ctx, func(ctx context.Context) (err error) {
		ctx, cancel := context.WithTimeout(ctx, callTime)
		defer cancel()
		registered, err = s.client.OperatorService().ListSearchAttributes(ctx, &operatorservice.ListSearchAttributesRequest{Namespace: p.options.Namespace})
		return err
	})
	_, absent := errors.AsType[*serviceerror.NamespaceNotFound](err)
	if _, silent := errors.AsType[*silence](err); silent || absent || ctx.Err() != nil {
		return fmt.Errorf("list the search attributes: %w", err)
	}
	if err != nil { // workflows do without them
		p.Warnings = append(p.Warnings, fmt.Sprintf("The search attributes can't be listed: %v", err))
		return nil
	}
	for _, name := range attributes {
		switch kind, ok := registered.GetCustomAttributes()[name]; {
		case !ok:
			p.Attributes = append(p.Attributes, name)
		case kind != enumspb.INDEXED_VALUE_TYPE_KEYWORD:
			p.Warnings = append(p.Warnings, fmt.Sprintf("The search attribute %s is registered as %s, not as Keyword, so workflows set none.", name, kind))
		}
	}
	return nil
}

// Register registers the missing search attributes. Workflows run without them, so an error need not stop the caller. It contains
// the commands that register them.
func (p *Plan) Register(ctx context.Context, c client.Client) error {
	if len(p.Attributes) == 0 {
		return nil
	}
	request := &operatorservice.AddSearchAttributesRequest{Namespace: p.options.Namespace, SearchAttributes: map[string]enumspb.IndexedValueType{}}
	for _, name := range p.Attributes {
		request.SearchAttributes[name] = enumspb.INDEXED_VALUE_TYPE_KEYWORD
	}
	err := newSession(c, p.options.Report).call(ctx, func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, callTime)
		defer cancel()
		_, err := c.OperatorService().AddSearchAttributes(ctx, request)
		return err
	})
	if _, exist := errors.AsType[*serviceerror.AlreadyExists](err); exist {
		return nil
	}
	if err != nil {
		return fmt.Errorf("register the search attributes %s: %w: workflows run without them; register them with `temporal operator search-attribute create --namespace %s%s`, or on Temporal Cloud with `tcld namespace search-attributes add --namespace %[3]s%[5]s`",
			strings.Join(p.Attributes, ", "), err, p.options.Namespace, p.flags(" --name %s --type Keyword"), p.flags(" --search-attribute %s=Keyword"))
	}
	return nil
}

// flags formats the missing search attributes.
func (p *Plan) flags(format string) string {
	var b strings.Builder
	for _, name := range p.Attributes {
		fmt.Fprintf(&b, format, name)
	}
	return b.String()
}
