package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
)

// settling is how long to wait after both replicas have started before their shares are measured.
const settling = 2 * time.Second

// replicas reads one account with two services at the same time, neither of which knows of the other.
func replicas(ctx context.Context, b *bench) (section, error) {
	data := evenData(b.size(16_000, 6_000))
	stripe, err := b.simulateData(ctx, data, world{Latency: roundTrip, Limits: true})
	if err != nil {
		return section{}, err
	}
	defer stripe.stop()
	keys := []string{liveKey + "_1", liveKey + "_2"} // Stripe's limits apply to the account; the log identifies a replica by its key
	both, bothCtx := errgroup.WithContext(ctx)
	for _, key := range keys {
		both.Go(func() error {
			got, err := b.readWith(bothCtx, readOrder{APIBase: stripe.url, Key: key, Streams: data.streams()}, "")
			if err != nil {
				return err
			}
			return got.complete(data)
		})
	}
	if err := both.Wait(); err != nil {
		return section{}, err
	}
	log, err := stripe.log()
	if err != nil {
		return section{}, err
	}
	shares, refused, span := concurrentShares(log, keys)
	result := table{head: []string{"", "share of the account's limit"}}
	sum, minimum := 0.0, shares[keys[0]]
	for i, key := range keys {
		result.add(fmt.Sprintf("replica %d", i+1), percent(shares[key]))
		sum, minimum = sum+shares[key], min(minimum, shares[key])
	}
	result.add("together", percent(sum))
	return section{
		setting: fmt.Sprintf("Two services read the same %d objects of one account, in %d lists, at the same time. Their shares are measured while both "+
			"are reading, starting %s after both have started, for %s.", total(data), len(data), settling, seconds(span.Seconds())),
		tables:  []table{result},
		remarks: []string{fmt.Sprintf("Of all requests in that time, %s got status 429.", percent(refused))},
		targets: []target{
			atLeast("share of the limit, two replicas together", sum, 0.85, percent),
			atLeast("share of the limit, the slower of two replicas", minimum, 1.0/3, percent),
		},
	}, nil
}

// concurrentShares returns each key's share of the account's limit while all keys are in use, the share of requests that were
// refused in that time, and the length of that time.
func concurrentShares(log []request, keys []string) (shares map[string]float64, refused float64, span time.Duration) {
	first, last := map[string]time.Duration{}, map[string]time.Duration{}
	for _, r := range log {
		if at, known := first[r.Key]; !known || r.At < at {
			first[r.Key] = r.At
		}
		last[r.Key] = max(last[r.Key], r.At)
	}
	from, to := first[keys[0]], last[keys[0]]
	for _, key := range keys {
		from, to = max(from, first[key]), min(to, last[key])
	}
	from += settling
	shares = map[string]float64{}
	all, bad := 0, 0
	for _, r := range log {
		if r.At < from || r.At >= to {
			continue
		}
		all++
		if r.Status == 200 {
			shares[r.Key]++
		} else {
			bad++
		}
	}
	allowed := accountLimit*(to-from).Seconds() + tokens(log, from)
	for key := range shares {
		shares[key] /= allowed
	}
	return shares, ratio(float64(bad), float64(all)), to - from
}

// tokens returns how many requests are left at a given time of the burst that Stripe allows. The burst is one
// second's worth of requests, and refills at the rate of the limit.
func tokens(log []request, at time.Duration) float64 {
	left, last := float64(accountLimit), time.Duration(0)
	fill := func(now time.Duration) {
		left, last = min(accountLimit, left+accountLimit*(now-last).Seconds()), now
	}
	for _, r := range slices.SortedFunc(slices.Values(log), func(a, b request) int { return cmp.Compare(a.At, b.At) }) {
		if r.At >= at {
			break
		}
		if r.Status == 200 {
			fill(r.At)
			left = max(0, left-1)
		}
	}
	fill(at)
	return left
}
