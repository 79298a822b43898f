package schema

import (
	"slices"
	"strings"
)

// Edition is the set of schemas that were generated from one of Stripe's OpenAPI documents.
type Edition struct {
	// Version is the API version of the document.
	Version string
	// also holds other versions whose objects have the same shapes: those of releases that changed nothing that was there
	// (https://docs.stripe.com/changelog). Fields that a later version added are absent from the objects of an earlier one.
	also []string
}

// Editions returns all editions, oldest first.
func Editions() []Edition {
	return []Edition{
		{Version: "2022-11-15"},
		{Version: "2023-10-16"},
		{Version: "2026-08-26.dahlia", also: []string{
			"2025-09-30.clover", "2025-10-29.clover", "2025-11-17.clover", "2025-12-15.clover", "2026-01-28.clover", "2026-02-25.clover",
			"2026-03-25.dahlia", "2026-04-22.dahlia", "2026-05-27.dahlia", "2026-06-24.dahlia", "2026-07-29.dahlia",
		}},
	}
}

// Oldest returns the edition of the oldest version.
func Oldest() Edition { return Editions()[0] }

// Newest returns the edition of the newest version.
func Newest() Edition {
	all := Editions()
	return all[len(all)-1]
}

// Of returns the edition that describes the objects of an API version, and reports whether there is one.
func Of(version string) (Edition, bool) {
	for _, e := range Editions() {
		if e.Version == version || slices.Contains(e.also, version) {
			return e, true
		}
	}
	return Edition{}, false
}

// Versions returns the API versions whose shapes are known, oldest first.
func Versions() []string {
	var all []string
	for _, e := range Editions() {
		all = append(append(all, e.also...), e.Version)
	}
	return all
}

// Lookup returns the schema of an object type, and reports whether it exists. It parses the text on each call, and is
// safe for concurrent use.
func (e Edition) Lookup(object string) (Schema, bool) {
	folder, ok := e.folders()[object]
	if !ok {
		return Schema{}, false
	}
	text := files()["objects/"+folder+"/"+object+".json"]
	return Schema{Object: object, JSON: minify(text), Relations: relations(folder, object)}, true
}

// Objects returns the object types with a schema, sorted.
func (e Edition) Objects() []string {
	var objects []string
	for object := range e.folders() {
		objects = append(objects, object)
	}
	slices.Sort(objects)
	return objects
}

// folders returns the folder with the schema of each object type, according to the edition's index. Types whose schemas are the
// same in several editions are in the folder of the oldest.
func (e Edition) folders() map[string]string {
	folders := map[string]string{}
	for line := range strings.Lines(files()["objects/"+e.Version+"/index.txt"]) {
		object, folder, _ := strings.Cut(strings.TrimSpace(line), " ")
		folders[object] = folder
	}
	return folders
}
