package main

import (
	"fmt"
	"strings"
)

const introduction = `# Benchmarks

Written by ` + "`%s`" + `; do not edit. Each section names the command that reproduces it.

Every figure is a ratio between processes of the same run, or is determined by the simulated Stripe (latency, limits, pages), so
it is comparable between machines. Expect ratios of processor time to vary by a tenth from run to run. Where noise matters,
rounds alternate between the readers, each ratio is taken within a round, and the median is reported.

- **Ours**: the service in one process, and a gRPC client that counts and discards records in another. The processor time is
  that of the service.
- **Floor**: GET the same pages with net/http and discard the bodies, sequentially or concurrently. The floor gets the URLs of the
  pages in advance, since it doesn't parse the bodies.
- **Afternoon**: what one would write in an afternoon, with stripe-go's typed iterators and json.Marshal for each object.

The simulated Stripe serves pages of 100 objects, indented like Stripe's, and uncompressed unless a section says otherwise.
Stripe's limits are those documented for live mode: 100 requests per second per account, and 25 per second per endpoint.

## Targets

`

// document returns the report as Markdown, in the form kept in the repository.
func document(s settings, sections []section) string {
	flags := ""
	if s.quick {
		flags = " --quick"
	}
	var text strings.Builder
	fmt.Fprintf(&text, introduction, "go run ./bench"+flags+" --markdown "+s.markdown)
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
