package main

import "fmt"

// target is a figure that should be reached.
type target struct {
	what   string
	value  float64
	atMost bool // whether it is a maximum; otherwise, it is a minimum
	limit  float64
	show   func(float64) string
}

func atMost(what string, value, limit float64, show func(float64) string) target {
	return target{what, value, true, limit, show}
}

func atLeast(what string, value, limit float64, show func(float64) string) target {
	return target{what, value, false, limit, show}
}

// isReached reports whether the target was reached. Without a figure, it was not.
func (t target) isReached() bool {
	if t.atMost {
		return t.value <= t.limit
	}
	return t.value >= t.limit
}

func (t target) verdict() string {
	if t.isReached() {
		return "PASS"
	}
	return "MISS"
}

func (t target) bound() string {
	if t.atMost {
		return "at most " + t.show(t.limit)
	}
	return "at least " + t.show(t.limit)
}

// missed returns the number of targets that were not reached.
func (s section) missed() int {
	n := 0
	for _, t := range s.targets {
		if !t.isReached() {
			n++
		}
	}
	return n
}

// verdictLines returns a line for each target.
func verdictLines(sections []section) []string {
	lines := []string{"\n## Targets\n"}
	for _, s := range sections {
		for _, t := range s.targets {
			lines = append(lines, fmt.Sprintf("%s  %-8s  %s: %s (%s)", t.verdict(), s.name, t.what, t.show(t.value), t.bound()))
		}
	}
	return lines
}
