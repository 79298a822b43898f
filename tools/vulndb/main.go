// Command vulndb builds a database for govulncheck (https://go.dev/doc/security/vuln/database) from the reports in a copy of
// the module golang.org/x/vulndb, so that the check needs no server other than the module proxy.
//
//	vulndb SOURCE TARGET
package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// report holds the fields of a report that the indexes need. See https://ossf.github.io/osv-schema.
type report struct {
	ID        string    `json:"id"`
	Modified  time.Time `json:"modified"`
	Withdrawn string    `json:"withdrawn"`
	Aliases   []string  `json:"aliases"`
	Affected  []struct {
		Package struct {
			Name string `json:"name"`
		} `json:"package"`
		Ranges []struct {
			Events []struct {
				Fixed string `json:"fixed"`
			} `json:"events"`
		} `json:"ranges"`
	} `json:"affected"`
}

type (
	database struct {
		Modified time.Time `json:"modified"`
	}
	vulnerability struct {
		ID       string    `json:"id"`
		Modified time.Time `json:"modified"`
		Aliases  []string  `json:"aliases,omitempty"`
	}
	moduleVulnerability struct {
		ID       string    `json:"id"`
		Modified time.Time `json:"modified"`
		Fixed    string    `json:"fixed,omitempty"`
	}
	module struct {
		Path  string                `json:"path"`
		Vulns []moduleVulnerability `json:"vulns"`
	}
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: vulndb SOURCE TARGET")
		os.Exit(2)
	}
	n, err := build(os.Args[1], os.Args[2])
	if err != nil {
		fmt.Fprintln(os.Stderr, "vulndb:", err)
		os.Exit(1)
	}
	fmt.Printf("%d reports\n", n)
}

// build writes the database to target and returns its number of reports.
func build(source, target string) (int, error) {
	files, err := filepath.Glob(filepath.Join(source, "data", "osv", "GO-*.json"))
	if err == nil && len(files) == 0 {
		err = fmt.Errorf("there are no reports in %s", source)
	}
	for _, folder := range []string{"ID", "index"} {
		err = errors.Join(err, os.MkdirAll(filepath.Join(target, folder), 0o755))
	}
	if err != nil {
		return 0, err
	}
	var db database
	var all []vulnerability
	modules := map[string]*module{}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			return 0, err
		}
		var r report
		if err := json.Unmarshal(content, &r); err != nil {
			return 0, fmt.Errorf("%s: %w", file, err)
		}
		if r.Withdrawn != "" {
			continue
		}
		if err := os.WriteFile(filepath.Join(target, "ID", r.ID+".json"), content, 0o644); err != nil {
			return 0, err
		}
		all = append(all, vulnerability{r.ID, r.Modified, r.Aliases})
		if r.Modified.After(db.Modified) {
			db.Modified = r.Modified
		}
		r.addTo(modules)
	}
	byPath := slices.SortedFunc(maps.Values(modules), func(a, b *module) int { return cmp.Compare(a.Path, b.Path) })
	for name, index := range map[string]any{"db": db, "vulns": all, "modules": byPath} {
		content, err := json.Marshal(index)
		if err != nil {
			return 0, err
		}
		if err := os.WriteFile(filepath.Join(target, "index", name+".json"), content, 0o644); err != nil {
			return 0, err
		}
	}
	return len(all), nil
}

// addTo adds r to the index of each module that it affects.
func (r *report) addTo(modules map[string]*module) {
	for _, affected := range r.Affected {
		path, fixed := affected.Package.Name, ""
		for _, versions := range affected.Ranges {
			for _, event := range versions.Events {
				fixed = cmp.Or(event.Fixed, fixed)
			}
		}
		m := modules[path]
		if m == nil {
			m = &module{Path: path}
			modules[path] = m
		}
		if !slices.ContainsFunc(m.Vulns, func(v moduleVulnerability) bool { return v.ID == r.ID }) {
			m.Vulns = append(m.Vulns, moduleVulnerability{r.ID, r.Modified, fixed})
		}
	}
}
