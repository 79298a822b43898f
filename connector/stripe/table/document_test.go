package table

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/stripe/schema"
)

var update = flag.Bool("update", false, "rewrite generated documents")

// TestStreamsDocument checks that docs/streams.md, which is generated, is up to date. Run it with -update to rewrite the file.
func TestStreamsDocument(t *testing.T) {
	const file = "../../../docs/streams.md"
	want := streamsDocument(Known())
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("%s is out of date: run go test ./connector/stripe/table -run TestStreamsDocument -update", file)
	}
}

// introduction precedes the table in docs/streams.md.
const introduction = `# Streams

Generated from [connector/stripe/table/streams.go](../connector/stripe/table/streams.go) and the schemas; don't edit.
Discover returns the schema, keys and relations of each, and ` + "`stripe-connector discover --erd`" + ` draws a diagram.

## API versions

The configuration's ` + "`api_version`" + ` selects the version of Stripe's API in which streams are read. It is one of:

- VERSIONS;
- ` + "`account`" + `: the account's own default. Stripe writes events in that version, so their payloads can be used: 1,000 changes cost 10
  requests. With another version, each changed object is re-read: the same changes cost 610.

Without ` + "`api_version`" + `, it is 2023-10-16, so a pipeline never changes its columns by itself. For a new pipeline, choose the version
that the account uses, which ` + "`check`" + ` shows, or the newest. ` + "`init`" + ` does so.

Streams, fields and event types of a version are those of Stripe's OpenAPI document of it: for 2022-11-15 one of April 2023, for
2023-10-16 one of March 2024. Fields that Stripe has added to these versions since then are in the records, but not in the schemas.

A different ` + "`api_version`" + ` is a migration. The next Read notices it in the state, logs what changes, and re-reads each stream in a
new generation into the same table: new columns are added, and columns that Stripe no longer fills become empty.
` + "`stripe-connector versions FROM TO`" + ` shows the difference beforehand.

The table below describes the newest version. Its column *versions* says which versions have it.

## Fields

Without a selection of ` + "`fields`" + `, a stream has every field that Stripe shows and the columns marked *by default* below. A selection may
name:

- a field, or one in an object or array: ` + "`billing_details.email`, `lines.data.amount`" + `;
- a column *on request*, or *by name* if it is personal data: ` + "`tax`" + `;
- a field of an object that Stripe shows as an id: ` + "`latest_charge.outcome.type`, `discounts[].coupon.name`" + `. The record then has an
  object with the id and the selected fields in place of the id, as it was when the record was read: its own later changes
  don't update the record;
- ` + "`*`" + `, for everything that a stream has without a selection, in addition to others: ` + "`[\"*\", \"tax\"]`" + `.

Stripe shows columns on request, and objects in place of ids, because [expand](https://docs.stripe.com/expand) asks for them. What that costs:

- No request while lists are read, but larger pages. In the simulated account, an expanded customer adds 0.6 KB to a charge of
  1.6 KB, tiers and currencies 0.1 KB to a price of 0.5 KB.
- One request per changed object, because events never show expanded fields. Without them, the payload of an event is often
  enough: 1,000 changes of customers cost 10 requests, and 1,010 with ` + "`tax`" + `, if events have the pinned API version.
- One to three requests per change of an object in a column: the refunds of a charge, the tax IDs, sources and subscriptions of a
  customer, the payments of an invoice. Their events re-read the object that shows them, and again later, because a column may show a
  change late, as lists do.
- One request per parent if the column belongs to embedded children and is more than four levels deep, such as ` + "`price.tiers`" + ` of
  subscription items, which otherwise cost nothing.
- A refused expansion leaves the column empty, with a warning. It never costs the row.
- A change of what is expanded re-reads the stream in a new generation.

Secrets are never offered: no record has a ` + "`client_secret`" + `, with which a payment can be completed, nor the ` + "`payload`" + ` of apps_secrets.

## Tables

`

func streamsDocument(streams Table) string {
	var b strings.Builder
	b.WriteString(strings.Replace(introduction, "VERSIONS", "`"+strings.Join(schema.Versions(), "`, `")+"`", 1))
	b.WriteString("| stream | versions | endpoint | primary key | requests | changes | columns that must be expanded | permission |\n|---|---|---|---|---|---|---|---|\n")
	for i := range streams {
		s := &streams[i]
		fmt.Fprintf(&b, "| [%s](https://docs.stripe.com/api/%s) | %s | `%s` | %s | %s | %s | %s | %s |\n",
			s.Name, s.Doc, inVersions(s), s.Path, strings.Join(s.PrimaryKey(), ", "), requestCost(s), changeDetection(streams, s), columns(streams.Fields(s).root, ""), code(s.Permission))
	}
	b.WriteString("\n## List endpoints that aren't streams\n\n| endpoint | reason |\n|---|---|\n")
	for _, path := range slices.Sorted(maps.Keys(notStreams)) {
		fmt.Fprintf(&b, "| `%s` | %s |\n", path, notStreams[path])
	}
	return b.String()
}

// inVersions says which versions have a stream.
func inVersions(s *Stream) string {
	switch {
	case s.Since != "":
		return "from " + s.Since
	case s.Until != "":
		return "before " + s.Until
	}
	return "all"
}

func code(text string) string {
	if text == "" {
		return ""
	}
	return "`" + text + "`"
}

// columns returns the columns of an object that Stripe includes only if they are expanded, and when they can be selected.
func columns(p property, above string) string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(p.Properties)) {
		field := p.Properties[name]
		if field.Includable != "" {
			all = append(all, "`"+above+name+"` "+field.Includable)
		}
		if below := columns(field, above+name+"."); below != "" {
			all = append(all, below)
		}
	}
	return strings.Join(all, ", ")
}

// changeDetection describes how a stream's changes arrive.
func changeDetection(streams Table, s *Stream) string {
	switch {
	case s.AppendOnly():
		return "new ones"
	case s.PendingField != "" && streams.Freshness(s) == connector.ByEvents:
		return "events; those whose " + s.PendingField + " is " + s.PendingValue + " are re-listed"
	case streams.Freshness(s) == connector.ByEvents:
		return "events"
	case streams.Freshness(s) == connector.ByTrailing && streams.Swept(s):
		return "events, and the newest are re-listed"
	case streams.Freshness(s) == connector.ByTrailing && s.PendingField != "":
		return "the newest and those that are " + s.PendingValue + " are re-listed"
	case streams.Freshness(s) == connector.ByTrailing:
		return "the newest are re-listed"
	}
	return "all are re-listed"
}

// requestCost describes the requests that reading a stream takes.
func requestCost(s *Stream) string {
	switch {
	case s.Inline && s.Expand:
		return "with the pages of " + s.Parent + ", expanded"
	case s.Inline:
		return "with the pages of " + s.Parent
	case s.Single && s.Parent == "":
		return "one response"
	case s.Single:
		return "with the pages of " + s.Parent + ", expanded; one request for each of them if Stripe refuses that"
	case s.Parent == "" && s.Cursor != "":
		return "pages, by time of creation"
	case s.Unpaged && s.Parent == "":
		return "one response"
	case s.Parent == "":
		return "pages"
	case s.Expand:
		return "with the pages of " + s.Parent + ", expanded; more pages where a parent has more than 10"
	case s.Embedded != "":
		return "with the pages of " + s.Parent + "; more pages where a parent has more than 10"
	case s.Across != "":
		return "one request for each of " + s.Parent + " and " + s.Across
	case s.Needs != "":
		return "one request for each of " + s.Parent + " that has " + s.Needs
	}
	return "one request for each of " + s.Parent
}
