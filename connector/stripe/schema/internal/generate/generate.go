package main

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// The output folders. Each has a folder for each version.
const (
	objectsFolder   = "objects"
	relationsFolder = "relations"
)

// generate returns the files to commit, by path relative to package schema. An object type whose schema is the same as in an
// older version has no file of its own: the version's index names the folder of the older one.
func generate(all []*inputs) (map[string][]byte, error) {
	files := map[string][]byte{}
	used := map[string]bool{}
	for i, in := range all {
		c := &converter{inputs: in, used: used}
		var index []string
		for _, object := range c.objectTypes() {
			n, err := c.schema(object)
			if err != nil {
				return nil, fmt.Errorf("%s: %s: %w", in.version, object, err)
			}
			schema, err := text(n)
			if err != nil {
				return nil, fmt.Errorf("%s: %s: %w", in.version, object, err)
			}
			folder := in.version
			for _, older := range all[:i] {
				if bytes.Equal(files[schemaFile(older.version, object)], schema) {
					folder = older.version
				}
			}
			index = append(index, object+" "+folder+"\n")
			if folder != in.version {
				continue
			}
			files[schemaFile(folder, object)] = schema
			if lines := relations(n); len(lines) > 0 {
				files[relationsFolder+"/"+folder+"/"+object+".txt"] = []byte(strings.Join(lines, "\n") + "\n")
			}
		}
		files[objectsFolder+"/"+in.version+"/index.txt"] = []byte(strings.Join(index, ""))
	}
	return files, checkUsed(all, used)
}

func schemaFile(version, object string) string {
	return objectsFolder + "/" + version + "/" + object + ".json"
}

// objectTypes returns the object types to describe, sorted.
func (in *inputs) objectTypes() []string {
	types := slices.Collect(maps.Keys(in.listed))
	for _, object := range unlisted {
		if in.components[object] != nil && !in.listed[object] {
			types = append(types, object)
		}
	}
	slices.Sort(types)
	return types
}

// checkUsed returns an error if references.json or includable.json names a property that no version has, or an object type that
// no version has.
func checkUsed(all []*inputs, used map[string]bool) error {
	for component, properties := range all[0].references {
		for property, object := range properties {
			if !used[component+"."+property] {
				return fmt.Errorf("references.json: nothing has %s.%s", component, property)
			}
			if !slices.ContainsFunc(all, func(in *inputs) bool { return in.components[object] != nil }) {
				return fmt.Errorf("references.json: %s.%s: no object %q", component, property, object)
			}
		}
	}
	for object, paths := range all[0].includable {
		for path := range paths {
			if !used["includable "+object+"."+path] {
				return fmt.Errorf("includable.json: nothing has %s.%s", object, path)
			}
		}
	}
	return nil
}
