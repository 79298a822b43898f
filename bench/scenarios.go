package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// bench is one run of the command.
type bench struct {
	settings
	executable string
}

// rounds returns how often to repeat a noisy measurement, of which the median is reported.
func (b *bench) rounds() int {
	if b.quick {
		return 1
	}
	return 5
}

// size returns full, or quick if --quick is set.
func (b *bench) size(full, quick int) int {
	if b.quick {
		return quick
	}
	return full
}

// scenario is one comparison of readers.
type scenario struct {
	name, title string
	run         func(context.Context, *bench) (section, error)
	apart       bool // whether it runs only if it is named: it isn't part of the document
}

// patience bounds the duration of a scenario, in case a reader hangs.
const patience = 5 * time.Minute

// within runs the scenario. If it exceeds its time, its processes are killed.
func (s scenario) within(ctx context.Context, b *bench) (section, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return s.run(ctx, b)
}

func scenarios() []scenario {
	all := []scenario{
		{"cpu", "No latency: what a record costs", cpu, false},
		{"gzip", "No latency, compressed responses", compressed, false},
		{"latency", "100 ms of latency", latency, false},
		{"limits", "100 ms and Stripe's limits, five endpoints", limited(fiveEndpoints), false},
		{"single", "100 ms and Stripe's limits, one endpoint", limited(oneEndpoint), false},
		{"bursty", "100 ms and Stripe's limits, nine tenths of the objects in three bursts", limited(bursts), false},
		{"second", "100 ms and Stripe's limits, all objects in one second", limited(oneSecond), false},
		{"loading", "100 ms and Stripe's limits, loading into each destination", loading, false},
		{"replicas", "100 ms and Stripe's limits, two replicas on one account", replicas, false},
		{"requests", "Requests against the theoretical minimum", requests, false},
		{"changes", "Requests of incremental reads", changes, false},
		{"busy", "Requests for the changes of busy accounts", busy, false},
		{"airbyte", "The Airbyte edge against gRPC", edgeCost("Airbyte", "airbyte"), false},
		{"singer", "The Singer edge against gRPC", edgeCost("Singer", "singer"), false},
		{"follow", "Following changes into a database", follow, false},
		{"wire", "The wire", wire, false},
		{"page", "Cutting pages and selecting fields", page, false},
	}
	return append(all,
		scenario{"scale", "Many pipelines", scale, true},
		scenario{"costs", "What objects and changes cost", costs, true})
}

func scenarioNames() string {
	var names []string
	for _, s := range scenarios() {
		names = append(names, s.name)
	}
	return strings.Join(names, ", ")
}

// chooseScenarios returns the scenarios named in a comma-separated list, in their usual order. An empty list means
// all that make up the document.
func chooseScenarios(list string) ([]scenario, error) {
	all := scenarios()
	if list == "" {
		return slices.DeleteFunc(all, func(s scenario) bool { return s.apart }), nil
	}
	names := strings.Split(list, ",")
	for _, name := range names {
		if !slices.ContainsFunc(all, func(s scenario) bool { return s.name == name }) {
			return nil, fmt.Errorf("unknown scenario %q: choose from %s", name, scenarioNames())
		}
	}
	return slices.DeleteFunc(all, func(s scenario) bool { return !slices.Contains(names, s.name) }), nil
}
