package main

import (
	"fmt"
	"slices"
	"strings"
)

const (
	dialect = "https://json-schema.org/draft/2020-12/schema"
	// maxExamples is the maximum number of known values in a schema. webhook_endpoint.enabled_events alone has 227.
	maxExamples = 12
)

// converter converts the document's components to JSON Schemas.
type converter struct {
	*inputs
	// open holds the names of the components being converted, outermost first.
	open []string
	// used holds the references whose property was found, so that misspelled ones are noticed.
	used map[string]bool
}

// schema returns the schema of an object type.
func (c *converter) schema(object string) (*node, error) {
	source := c.components[object]
	if source == nil {
		return nil, fmt.Errorf("no component %q", object)
	}
	n, err := c.properties(object, source)
	if err != nil {
		return nil, err
	}
	n.Dialect, n.Title = dialect, object
	if source.requires("id") {
		n.Required = []string{"id"}
	}
	c.markAbsent(object, source, n)
	c.markIncludable(object, n)
	if id := n.Properties["id"]; id != nil {
		// Only an upcoming invoice has no id, and no list returns one: https://docs.stripe.com/api/invoices/upcoming.
		id.Optional = false
	}
	return n, nil
}

// markAbsent marks the nullable properties that Stripe's own example of the object lacks as optional. The document requires no
// nullable property, so it does not distinguish "null" from "absent".
func (c *converter) markAbsent(object string, source *component, n *node) {
	fixture, ok := c.fixtures[object]
	if !ok {
		return
	}
	for name, property := range n.Properties {
		if _, present := fixture[name]; !present && !source.requires(name) {
			property.Optional = true
		}
	}
}

// markIncludable marks the fields that are absent unless expanded, and removes those that are never to be requested. A version
// may lack some of the fields.
func (c *converter) markIncludable(object string, n *node) {
	for path, offer := range c.includable[object] {
		names := strings.Split(path, ".")
		above := n
		for _, name := range names[:len(names)-1] {
			if above != nil {
				above = above.Properties[name]
			}
		}
		last := names[len(names)-1]
		if above == nil || above.Properties[last] == nil {
			continue
		}
		c.used["includable "+object+"."+path] = true
		if offer == "never" {
			delete(above.Properties, last)
			continue
		}
		property := above.Properties[last]
		property.Optional, property.Includable = true, offer
	}
}

// convert returns the schema of any component.
func (c *converter) convert(source *component) (*node, error) {
	n, err := c.convertNonNull(source)
	if err == nil && source.Nullable {
		n.nullable()
	}
	return n, err
}

func (c *converter) convertNonNull(source *component) (*node, error) {
	switch {
	case source.Expansion != nil:
		objects, err := c.objects(source.Expansion.OneOf...)
		return &node{Type: types{"string", "object"}, Expandable: objects}, err
	case source.Ref != "":
		return c.convertRef(source)
	case len(source.AnyOf) > 0:
		return c.convertUnion(source.AnyOf)
	case source.Type == "array":
		items, err := c.convert(source.Items)
		return &node{Type: types{"array"}, Items: items}, err
	case source.Type == "object":
		return c.properties("", source)
	case source.Type == "":
		return nil, fmt.Errorf("component without a type: %+v", source)
	}
	return scalar(source), nil
}

func scalar(source *component) *node {
	known := slices.DeleteFunc(slices.Clone(source.Enum), func(v any) bool { return v == "" })
	return &node{
		Type:     types{source.Type},
		Format:   source.Format,
		Examples: known[:min(len(known), maxExamples)],
	}
}

// convertRef inlines a component, or names it if it is an object with its own schema.
func (c *converter) convertRef(source *component) (*node, error) {
	name := refName(source)
	target, err := c.resolve(source)
	if err != nil {
		return nil, err
	}
	if object := target.object(); c.listed[object] {
		return &node{Type: types{"object"}, Object: []string{object}}, nil
	}
	if slices.Contains(c.open, name) {
		return nil, fmt.Errorf("recursion: %s, %s", strings.Join(c.open, ", "), name)
	}
	c.open = append(c.open, name)
	defer func() { c.open = c.open[:len(c.open)-1] }()
	if target.Type == "object" {
		return c.properties(name, target)
	}
	return c.convert(target)
}

// properties converts an object. The name is the component's, or "" for an object defined inline.
func (c *converter) properties(name string, source *component) (*node, error) {
	n := &node{Type: types{"object"}}
	for property, value := range source.Properties {
		if slices.Contains(secrets, property) {
			continue
		}
		p, err := c.convert(value)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", property, err)
		}
		if property == "object" && len(value.Enum) == 1 {
			p.Const, p.Examples = value.Enum[0], nil
		}
		p.Optional = !source.requires(property) && (!value.Nullable || p.list())
		if p.Type[0] == "integer" && p.Format == "" && instant(property) {
			p.Format = "unix-time"
		}
		if err := c.refer(name, property, p); err != nil {
			return nil, err
		}
		n.set(property, p)
	}
	if source.AdditionalProperties == nil || source.AdditionalProperties.anything {
		return n, nil
	}
	values, err := c.convert(source.AdditionalProperties)
	n.AdditionalProperties = values
	return n, err
}

// instant reports whether an integer property with this name is a time. The document has the format of nearly all of them, but
// not of subscription_item.created and a few others.
// but not of subscription_item.created and a few others.
func instant(property string) bool {
	return property == "created" || strings.HasSuffix(property, "_at")
}

// refer sets the object type whose id a plain string property holds, if references.json has it.
func (c *converter) refer(name, property string, p *node) error {
	object, ok := c.references[name][property]
	if !ok || p.Expandable != nil { // a later version may have made it expandable
		return nil
	}
	if p.Type[0] != "string" {
		return fmt.Errorf("references.json: %s.%s is not a plain string", name, property)
	}
	p.References = []string{object}
	c.used[name+"."+property] = true
	return nil
}

func (n *node) set(property string, p *node) {
	if n.Properties == nil {
		n.Properties = map[string]*node{}
	}
	n.Properties[property] = p
}
