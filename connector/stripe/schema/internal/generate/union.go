package main

import (
	"fmt"
	"slices"
)

// convertUnion converts alternatives. A single alternative is converted as is. Several objects with schemas of their own become
// an open object that names them. Other objects are merged into one with the properties of all, so every property can be found
// at its path.
func (c *converter) convertUnion(alternatives []*component) (*node, error) {
	var merged *node
	for _, a := range alternatives {
		n, err := c.convert(a)
		if err != nil {
			return nil, err
		}
		if merged == nil {
			merged = n
			continue
		}
		if n.Type[0] != "object" && (!n.scalar() || !merged.scalar()) {
			return nil, fmt.Errorf("union of something else than objects: %q", refName(a))
		}
		if (merged.Object == nil) != (n.Object == nil) {
			return nil, fmt.Errorf("union of objects with and without a schema of their own: %q", refName(a))
		}
		if err := merged.merge(n); err != nil {
			return nil, err
		}
	}
	return merged, nil
}

// merge makes n accept whatever either schema accepts. A property that only one of them has becomes optional.
func (n *node) merge(other *node) error {
	if n.scalar() && other.scalar() && n.Const == other.Const {
		n.mergeScalars(other)
		return nil
	}
	if n.Type[0] != other.Type[0] || n.Format != other.Format || n.Const != other.Const {
		return fmt.Errorf("union of %v %s %v and %v %s %v", n.Type, n.Format, n.Const, other.Type, other.Format, other.Const)
	}
	if n.Items != nil || n.AdditionalProperties != nil || n.Expandable != nil || n.References != nil {
		return fmt.Errorf("union of arrays, maps or references is not implemented")
	}
	if slices.Contains(other.Type, "null") {
		n.nullable()
	}
	n.Optional = n.Optional || other.Optional
	n.Object = union(n.Object, other.Object)
	n.Examples = union(n.Examples, other.Examples)
	n.Examples = n.Examples[:min(len(n.Examples), maxExamples)]
	return n.mergeProperties(other)
}

// scalar reports whether the node accepts only plain values.
func (n *node) scalar() bool {
	return n.Items == nil && n.AdditionalProperties == nil && n.Properties == nil && n.Expandable == nil && n.References == nil && n.Object == nil &&
		!slices.Contains(n.Type, "object") && !slices.Contains(n.Type, "array")
}

// mergeScalars merges plain values, which may be of different types: a date that is an integer in one object is a string in another.
func (n *node) mergeScalars(other *node) {
	isNull := func(name string) bool { return name == "null" }
	nullable := slices.ContainsFunc(slices.Concat(n.Type, other.Type), isNull)
	n.Type = slices.DeleteFunc(union(slices.Clone(n.Type), other.Type), isNull)
	if nullable {
		n.nullable()
	}
	if n.Format != other.Format {
		n.Format = ""
	}
	n.Optional = n.Optional || other.Optional
	n.Examples = union(n.Examples, other.Examples)
	n.Examples = n.Examples[:min(len(n.Examples), maxExamples)]
}

func (n *node) mergeProperties(other *node) error {
	for name, ours := range n.Properties {
		theirs, ok := other.Properties[name]
		if !ok {
			ours.Optional = true
			continue
		}
		if err := ours.merge(theirs); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	for name, theirs := range other.Properties {
		if _, ok := n.Properties[name]; !ok {
			theirs.Optional = true
			n.set(name, theirs)
		}
	}
	return nil
}

// union appends the values of b that a lacks.
func union[T comparable](a, b []T) []T {
	for _, v := range b {
		if !slices.Contains(a, v) {
			a = append(a, v)
		}
	}
	return a
}
