package main

import (
	"fmt"
	"strings"
)

const preface = `# Benchmarks

Written by ` + "`%s`" + `; do not edit. Each section can be made again alone, by the command beside its title.

Every figure is a ratio between processes of the same run, or is set by the simulated Stripe (latency, limits, pages), so
that it means the same on another machine; expect the ratios of processor time to move by a tenth from run to run. Where
noise matters, rounds alternate between the readers, each ratio is taken within a round, and the median counts.

- **Ours**: the service in a process of its own, a client over gRPC that drains and counts in another. Its processor time
  is the service's.
- **Floor**: GET the same pages with net/http and throw the bodies away, one after the other or side by side. It is told
  the pages beforehand, since it does not look at the bodies.
- **Afternoon**: what one writes in an afternoon: stripe-go's typed iterators, json.Marshal of each object.

The simulated Stripe answers with pages of 100 objects, indented like Stripe's, and not compressed unless a section says so. Stripe's limits are the
documented ones of live mode: 100 requests per second and account, 25 per second and endpoint.

## Targets

`

// document gives the report as it is kept in the repository.
func document(s settings, sections []section) string {
	flags := ""
	if s.quick {
		flags = " --quick"
	}
	var text strings.Builder
	fmt.Fprintf(&text, preface, "go run ./bench"+flags+" --markdown "+s.markdown)
	verdicts := table{head: []string{"scenario", "target", "reached", "to reach", ""}}
	for _, found := range sections {
		for _, t := range found.targets {
			verdicts.add(found.name, t.what, t.show(t.value), t.bound(), t.verdict())
		}
	}
	text.WriteString(verdicts.String())
	for _, found := range sections {
		fmt.Fprintf(&text, "\n## %s\n\n`go run ./bench%s --only %s`\n\n", found.title, flags, found.name)
		text.WriteString(strings.TrimRight(found.body(), "\n") + "\n")
	}
	return text.String()
}
