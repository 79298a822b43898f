package main

import (
	"encoding/json"
	"fmt"
	"strings"
)

// provenance returns an in-toto statement with SLSA provenance (https://slsa.dev/spec/v1.0/provenance): which files were built, from
// which commit, and with which modules, as PATH@VERSION, that go.mod of the programs doesn't name. sums are the lines of
// checksums.txt. It is not signed; since builds are reproducible, anyone can verify it by building the commit again.
func provenance(version, commit string, platforms, modules, sums []string) ([]byte, error) {
	type digest map[string]string
	type resource struct {
		Name   string `json:"name,omitempty"`
		URI    string `json:"uri,omitempty"`
		Digest digest `json:"digest,omitempty"`
	}
	var statement struct {
		Type          string     `json:"_type"`
		Subject       []resource `json:"subject"`
		PredicateType string     `json:"predicateType"`
		Predicate     struct {
			BuildDefinition struct {
				BuildType            string         `json:"buildType"`
				ExternalParameters   map[string]any `json:"externalParameters"`
				ResolvedDependencies []resource     `json:"resolvedDependencies"`
			} `json:"buildDefinition"`
			RunDetails struct {
				Builder struct {
					ID string `json:"id"`
				} `json:"builder"`
			} `json:"runDetails"`
		} `json:"predicate"`
	}
	statement.Type, statement.PredicateType = "https://in-toto.io/Statement/v1", "https://slsa.dev/provenance/v1"
	for _, line := range sums {
		sum, name, ok := strings.Cut(strings.TrimSpace(line), "  ")
		if !ok {
			return nil, fmt.Errorf("%q is not a checksum", line)
		}
		statement.Subject = append(statement.Subject, resource{Name: name, Digest: digest{"sha256": sum}})
	}
	build := &statement.Predicate.BuildDefinition
	build.BuildType = "https://" + module + "/blob/main/CONTRIBUTING.md#cut-a-release"
	build.ExternalParameters = map[string]any{"version": version, "platforms": platforms}
	build.ResolvedDependencies = []resource{{URI: "git+https://" + module, Digest: digest{"gitCommit": commit}}}
	for _, used := range modules {
		build.ResolvedDependencies = append(build.ResolvedDependencies, resource{URI: "pkg:golang/" + used})
	}
	statement.Predicate.RunDetails.Builder.ID = "https://" + module + "/tools/release"
	return json.MarshalIndent(statement, "", "  ")
}
