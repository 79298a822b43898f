package stripetest

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/stripe-connector/stripe-connector/connector/stripe/schema"
)

// node is the part of a JSON Schema needed to generate an object.
type node struct {
	Type       types            `json:"type"`
	Format     string           `json:"format"`
	Const      string           `json:"const"`
	Examples   []string         `json:"examples"`
	Object     []string         `json:"x-object"`
	Expandable []string         `json:"x-expandable"`
	References []string         `json:"x-references"`
	Optional   bool             `json:"x-optional"`
	Includable string           `json:"x-includable"`
	Properties map[string]*node `json:"properties"`
	Items      *node            `json:"items"`
}

// types is the value of the type keyword: one name or several.
type types []string

func (t *types) UnmarshalJSON(text []byte) error {
	if text[0] == '[' {
		return json.Unmarshal(text, (*[]string)(t))
	}
	var one string
	err := json.Unmarshal(text, &one)
	*t = types{one}
	return err
}

func (n *node) nullable() bool { return slices.Contains(n.Type, "null") }

// list reports whether the node is an embedded list.
func (n *node) list() bool {
	object := n.Properties["object"]
	return object != nil && object.Const == "list"
}

// load returns the schema of an object type in an edition. If the edition lacks the type, it is that of another edition: an object
// exists whatever the version of a request, and may be found through another. Tests ensure that every kind has a well-formed
// schema.
func load(e schema.Edition, object string) *node {
	s, ok := e.Lookup(object)
	for _, other := range schema.Editions() {
		if !ok {
			s, ok = other.Lookup(object)
		}
	}
	if !ok {
		panic(fmt.Sprintf("stripetest: no schema of %s", object))
	}
	n := &node{}
	if err := json.Unmarshal(s.JSON, n); err != nil {
		panic(fmt.Sprintf("stripetest: schema of %s: %v", object, err))
	}
	switch object {
	case "checkout.session", "identity.verification_session", "payment_intent", "setup_intent":
		n.Properties[secret] = &node{Type: types{"string", "null"}}
	case "source":
		n.Properties[secret] = &node{Type: types{"string"}}
	}
	return n
}

// secret is a property that Stripe sends, and that no schema has because it is a secret. See Options.Secrets.
const secret = "client_secret"
