package main

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/stripe-connector/stripe-connector/connector/stripe/openapi"
)

//go:embed supplement.json
var supplementJSON []byte

//go:embed references.json
var referencesJSON []byte

//go:embed includable.json
var includableJSON []byte

// inputs is everything that the output for one API version depends on.
type inputs struct {
	version    string
	components map[string]*component
	// listed holds the object types that lists return. Each has its own schema, which other schemas refer to.
	listed map[string]bool
	// fixtures holds Stripe's example of each object type, by component name.
	fixtures map[string]map[string]json.RawMessage
	// references maps component and property to the object type whose id the property holds.
	references map[string]map[string]string
	// includable maps object type and field to when a field that is absent unless expanded is requested
	// (https://docs.stripe.com/expand#with-includable): "by default", "on request", only "by name", or "never".
	includable map[string]map[string]string
}

// unlisted are the object types of streams that no list returns: objects of which an account has only one, and objects embedded
// in others. They have their own schemas, but are also inlined in the schemas of the objects that embed them.
var unlisted = []string{"balance", "balance_settings", "cash_balance", "discount", "tax.settings"}

// secrets are the properties whose values are secrets wherever they occur: a client_secret is enough to complete the payment.
// They are in no schema and in no record.
var secrets = []string{"client_secret"}

// component is a schema in the document (OpenAPI 3.0), with the keywords needed here.
type component struct {
	Ref                  string                `json:"$ref"`
	Type                 string                `json:"type"`
	Format               string                `json:"format"`
	Nullable             bool                  `json:"nullable"`
	Enum                 []any                 `json:"enum"`
	AnyOf                []*component          `json:"anyOf"`
	Properties           map[string]*component `json:"properties"`
	Required             []string              `json:"required"`
	Items                *component            `json:"items"`
	AdditionalProperties *component            `json:"additionalProperties"`
	ResourceID           string                `json:"x-resourceId"`
	Expansion            *struct {
		OneOf []*component `json:"oneOf"`
	} `json:"x-expansionResources"`
	anything bool // the schema is just true
}

// UnmarshalJSON accepts a schema that is an object, or true or false.
func (c *component) UnmarshalJSON(text []byte) error {
	if text[0] == 't' || text[0] == 'f' {
		c.anything = true
		return nil
	}
	type plain component
	return json.Unmarshal(text, (*plain)(c))
}

// object returns the fixed value of the component's object property, such as "charge" or "list", or "".
func (c *component) object() string {
	p := c.Properties["object"]
	if p == nil || len(p.Enum) != 1 {
		return ""
	}
	object, _ := p.Enum[0].(string)
	return object
}

func (c *component) requires(property string) bool { return slices.Contains(c.Required, property) }

// openAPI is the part of an OpenAPI document needed here.
type openAPI struct {
	Components struct {
		Schemas map[string]*component `json:"schemas"`
	} `json:"components"`
	Paths map[string]struct {
		Get struct {
			Responses map[string]struct {
				Content map[string]struct {
					Schema *component `json:"schema"`
				} `json:"content"`
			} `json:"responses"`
		} `json:"get"`
	} `json:"paths"`
}

// loadAll returns the inputs for each version, oldest first.
func loadAll() ([]*inputs, error) {
	var all []*inputs
	for _, d := range openapi.Documents() {
		in, err := load(d)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", d.Version, err)
		}
		all = append(all, in)
	}
	return all, nil
}

func load(d openapi.Document) (*inputs, error) {
	var document, supplement openAPI
	var examples struct {
		Resources map[string]map[string]json.RawMessage `json:"resources"`
	}
	in := &inputs{version: d.Version, listed: map[string]bool{}}
	for _, source := range []struct {
		name string
		json []byte
		into any
	}{
		{"document", d.Spec, &document},
		{"fixtures", d.Fixtures, &examples},
		{"supplement.json", supplementJSON, &supplement},
		{"references.json", referencesJSON, &in.references},
		{"includable.json", includableJSON, &in.includable},
	} {
		if err := decode(source.json, source.into); err != nil {
			return nil, fmt.Errorf("decode %s: %w", source.name, err)
		}
	}
	in.fixtures = examples.Resources
	in.components = document.Components.Schemas
	if err := in.addListed(&document); err != nil {
		return nil, err
	}
	in.addSupplement(&supplement)
	return in, nil
}

// decode decodes JSON. It rejects trailing data but allows unknown fields.
func decode(text []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	if err := d.Decode(into); err != nil {
		return err
	}
	if d.More() {
		return fmt.Errorf("trailing data at offset %d", d.InputOffset())
	}
	return nil
}

// addListed adds the object types that GET endpoints return in a list or a search result.
func (in *inputs) addListed(document *openAPI) error {
	for path, item := range document.Paths {
		response := item.Get.Responses["200"].Content["application/json"].Schema
		if response == nil {
			continue
		}
		list, err := in.resolve(response)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		if object := list.object(); object != "list" && object != "search_result" {
			continue
		}
		objects, err := in.objects(list.Properties["data"].Items)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		for _, object := range objects {
			in.listed[object] = true
		}
	}
	return nil
}

// addSupplement adds the components of the supplement that the document lacks. Those with an x-resourceId are listed.
func (in *inputs) addSupplement(supplement *openAPI) {
	for name, c := range supplement.Components.Schemas {
		if in.components[name] != nil {
			continue
		}
		in.components[name] = c
		if c.ResourceID != "" {
			in.listed[c.ResourceID] = true
		}
	}
}

// resolve returns the component that a $ref points to, or the component itself if it has none.
func (in *inputs) resolve(c *component) (*component, error) {
	if c.Ref == "" {
		return c, nil
	}
	target := in.components[refName(c)]
	if target == nil {
		return nil, fmt.Errorf("unknown $ref %q", c.Ref)
	}
	return target, nil
}

// refName returns the name of the component that a $ref points to, or "" if there is none.
func refName(c *component) string { return strings.TrimPrefix(c.Ref, "#/components/schemas/") }

// objects returns the object types of a component or its alternatives, sorted and without duplicates. A deleted object has the
// same type as the living one, so it adds nothing.
func (in *inputs) objects(alternatives ...*component) ([]string, error) {
	var objects []string
	for _, a := range alternatives {
		c, err := in.resolve(a)
		if err != nil {
			return nil, err
		}
		if len(c.AnyOf) > 0 {
			nested, err := in.objects(c.AnyOf...)
			if err != nil {
				return nil, err
			}
			objects = append(objects, nested...)
			continue
		}
		object := c.object()
		if object == "" {
			object = refName(a) // A Radar rule has no object property.
		}
		objects = append(objects, object)
	}
	slices.Sort(objects)
	return slices.Compact(objects), nil
}
