package main

// node is a JSON Schema (draft 2020-12), with its keywords in output order.
type node struct {
	Dialect    string   `json:"$schema,omitempty"`
	Title      string   `json:"title,omitempty"`
	Type       types    `json:"type"`
	Format     string   `json:"format,omitempty"`
	Const      any      `json:"const,omitempty"`
	Examples   []any    `json:"examples,omitempty"`
	Required   []string `json:"required,omitempty"`
	Object     []string `json:"x-object,omitempty"`
	Expandable []string `json:"x-expandable,omitempty"`
	References []string `json:"x-references,omitempty"`
	Optional   bool     `json:"x-optional,omitempty"`
	Includable string   `json:"x-includable,omitempty"`

	Properties           map[string]*node `json:"-"`
	Items                *node            `json:"-"`
	AdditionalProperties *node            `json:"-"`
}

// types is the value of the type keyword: one name, or an array of names.
type types []string

func (t types) MarshalJSON() ([]byte, error) {
	if len(t) == 1 {
		return marshal(t[0])
	}
	return marshal([]string(t))
}

// nullable adds null to the node's types.
func (n *node) nullable() {
	if len(n.Type) > 0 && n.Type[len(n.Type)-1] != "null" {
		n.Type = append(n.Type, "null")
	}
}

// list reports whether the node is an embedded list: {object: "list", data, has_more, url}.
func (n *node) list() bool {
	object := n.Properties["object"]
	return object != nil && object.Const == "list"
}
