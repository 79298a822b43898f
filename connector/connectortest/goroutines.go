package connectortest

import (
	"runtime"
	"strings"
	"time"
)

// goroutines returns the stacks of all goroutines but the caller's, by id. Those of net/http are ignored: connections
// are kept for the next request.
func goroutines() map[string]string {
	buffer := make([]byte, 1<<20)
	for {
		n := runtime.Stack(buffer, true)
		if n < len(buffer) {
			buffer = buffer[:n]
			break
		}
		buffer = make([]byte, 2*len(buffer))
	}
	stacks := map[string]string{}
	for i, stack := range strings.Split(string(buffer), "\n\n") {
		id, _, _ := strings.Cut(stack, " [")
		if i > 0 && !strings.Contains(stack, "created by net/http.") {
			stacks[id] = stack
		}
	}
	return stacks
}

// leakedGoroutines returns the stacks of goroutines that were not there before and don't end.
func leakedGoroutines(before map[string]string, patience time.Duration) []string {
	var left []string
	waitUntil(min(patience, 10*time.Second), func() bool {
		left = left[:0]
		for id, stack := range goroutines() {
			if _, ok := before[id]; !ok {
				left = append(left, stack)
			}
		}
		return len(left) == 0
	})
	return left
}

// await returns what comes through c, or zero if nothing does for a time.
func await[T any](patience time.Duration, c <-chan T) (v T) {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case v = <-c:
	case <-timer.C:
	}
	return v
}
