package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// The output folders, which package schema embeds.
const (
	objectsFolder   = "objects"
	relationsFolder = "relations"
)

// generate returns the files to commit, by path relative to package schema.
func generate(in *inputs) (map[string][]byte, error) {
	files := map[string][]byte{}
	c := &converter{inputs: in, used: map[string]bool{}}
	for _, object := range slices.Concat(slices.Collect(maps.Keys(in.listed)), unlisted) {
		n, err := c.schema(object)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", object, err)
		}
		schema, err := text(n)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", object, err)
		}
		files[objectsFolder+"/"+object+".json"] = schema
		if lines := relations(n); len(lines) > 0 {
			files[relationsFolder+"/"+object+".txt"] = []byte(strings.Join(lines, "\n") + "\n")
		}
	}
	return files, c.checkUsed()
}

// checkUsed returns an error if references.json names a property or object type that does not exist.
func (c *converter) checkUsed() error {
	for component, properties := range c.references {
		for property, object := range properties {
			if !c.used[component+"."+property] {
				return fmt.Errorf("references.json: nothing has %s.%s", component, property)
			}
			if c.components[object] == nil {
				return fmt.Errorf("references.json: %s.%s: no object %q", component, property, object)
			}
		}
	}
	return nil
}
