package cli

import (
	"fmt"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/stripe-connector/stripe-connector/client"
	"github.com/stripe-connector/stripe-connector/connector/stripe/table"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// withoutCostly returns a selection that skips costly streams, unless streams are selected by name.
func withoutCostly(s client.Selection) client.Selection {
	s.LeaveOut = table.Costly()
	return s
}

// printPlan prints what a first sync of the selected streams would do, and how many requests it would take.
func (a *app) printPlan(config *structpb.Struct, catalog, selected []*connectorv1.Stream) error {
	limit := limitOf(config)
	streams := table.Known()
	chosen := map[string]bool{}
	lists := map[string]bool{}
	rows := [][]string{{"STREAM", "REQUESTS", "CHANGES"}}
	perParent := 0
	for _, s := range selected {
		chosen[s.GetName()] = true
		row := streams.Find(s.GetName())
		requests := "1 per 100 objects"
		switch {
		case row == nil:
			requests = "unknown"
		case row.CostPer() != "":
			requests = "1 per " + row.CostPer()
			perParent++
		case row.Parent != "":
			requests = "with " + row.Parent
		case row.Single || row.Unpaged:
			requests = "1"
			lists[row.Path] = true
		default:
			lists[row.Path] = true
		}
		rows = append(rows, []string{s.GetName(), requests, changesWord(s.GetFreshness())})
	}
	list := align(rows, 3)
	text := ""
	var left []string
	for _, s := range catalog {
		if !chosen[s.GetName()] {
			left = append(left, s.GetName())
		}
	}
	if len(left) > 0 {
		text += fmt.Sprintf("\n%s skipped: %s.\n", countWas(len(left), "stream"), someOf(left, 100))
	}
	text += fmt.Sprintf("\nThe first sync takes at least %s, one for each list", count(len(lists), "request"))
	if limit > 0 {
		text += fmt.Sprintf(", or %s at the limit of %d requests/s. Every 100,000 objects take about 1,000 more, or %s",
			atLeast(len(lists), limit), limit, atLeast(1000, limit))
	}
	text += ".\n"
	if perParent > 0 {
		text += fmt.Sprintf("%s one request for each object of another stream, in the first sync and whenever they are re-read.\n", takeVerb(perParent))
	}
	text += "Stripe allows 500 read requests for each transaction of the last 30 days, and at least 10,000 a month " +
		"(https://docs.stripe.com/rate-limits). Later syncs take a few requests for the events, and re-list what no event announces.\n"
	_, err := fmt.Fprint(a.stdout, list+fold(text))
	return err
}

func takeVerb(n int) string {
	if n == 1 {
		return "1 stream takes"
	}
	return count(n, "stream") + " take"
}

// atLeast returns the minimum time that these requests take at a limit per second.
func atLeast(requests, limit int) string {
	return (time.Duration(requests) * time.Second / time.Duration(limit)).Round(time.Second).String()
}

func changesWord(f connectorv1.Freshness) string {
	return strings.ToLower(strings.TrimPrefix(f.String(), "FRESHNESS_"))
}
