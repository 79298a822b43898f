package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
)

// worker has the functions that a child process executes for each command.
type worker map[string]func(context.Context, json.RawMessage) (any, error)

// modes are the kinds of child process.
func modes() map[string]func() worker {
	return map[string]func() worker{
		"stripe":    newStripeWorker,
		"serve":     newServeWorker,
		"read":      newReadWorker,
		"load":      newLoadWorker,
		"floor":     newFloorWorker,
		"afternoon": newAfternoonWorker,
		"wire":      newWireWorker,
		"page":      newPageWorker,
	}
}

// beChild executes the commands from in, one after the other, until in ends. It returns the exit code; the process must then
// exit, whatever it is doing.
func beChild(mode string, in io.Reader, out io.Writer) int {
	newWorker, ok := modes()[mode]
	if !ok {
		return 2
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	calls := json.NewDecoder(in)
	queue := make(chan call, 1)
	go func() {
		answers := json.NewEncoder(out)
		w := newWorker()
		w["usage"] = func(context.Context, json.RawMessage) (any, error) { return usageNow() }
		for c := range queue {
			if answers.Encode(w.carryOut(ctx, c)) != nil {
				cancel()
			}
		}
	}()
	for ctx.Err() == nil {
		var c call
		if calls.Decode(&c) != nil {
			return 0 // the parent is done or has died
		}
		queue <- c
	}
	return 1
}

func (w worker) carryOut(ctx context.Context, c call) answer {
	command, ok := w[c.Command]
	if !ok {
		return answer{Error: fmt.Sprintf("no command %q", c.Command)}
	}
	result, err := command(ctx, c.Arguments)
	if err != nil {
		return answer{Error: err.Error()}
	}
	encoded, err := json.Marshal(result)
	if err != nil {
		return answer{Error: err.Error()}
	}
	return answer{Result: encoded}
}

// handler turns a function with typed arguments into a command.
func handler[A, R any](do func(context.Context, A) (R, error)) func(context.Context, json.RawMessage) (any, error) {
	return func(ctx context.Context, encoded json.RawMessage) (any, error) {
		var arguments A
		if err := json.Unmarshal(encoded, &arguments); err != nil {
			return nil, err
		}
		return do(ctx, arguments)
	}
}
