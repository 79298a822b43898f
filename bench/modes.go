package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
)

// worker maps the commands of a child process to the functions that execute them.
type worker map[string]func(context.Context, json.RawMessage) (any, error)

// modes returns the kinds of child processes.
func modes() map[string]func() worker {
	return map[string]func() worker{
		"stripe":    newStripeWorker,
		"serve":     newServeWorker,
		"read":      newReadWorker,
		"load":      newLoadWorker,
		"floor":     newFloorWorker,
		"afternoon": newAfternoonWorker,
		"airbyte":   newAirbyteWorker,
		"wire":      newWireWorker,
		"page":      newPageWorker,
		"singer":    newSingerWorker,
	}
}

// runChild executes the commands from in, one after another, until in ends. In swallowMode it discards in. It returns the
// exit code. The process must then exit, even if work is still in progress.
func runChild(mode string, in io.Reader, out io.Writer) int {
	if mode == swallowMode {
		_, _ = io.Copy(io.Discard, in)
		return 0
	}
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
			if answers.Encode(w.execute(ctx, c)) != nil {
				cancel()
			}
		}
	}()
	for ctx.Err() == nil {
		var c call
		if calls.Decode(&c) != nil {
			return 0 // the parent is done or dead
		}
		queue <- c
	}
	return 1
}

func (w worker) execute(ctx context.Context, c call) answer {
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

// handler adapts a function with typed arguments to a command.
func handler[A, R any](do func(context.Context, A) (R, error)) func(context.Context, json.RawMessage) (any, error) {
	return func(ctx context.Context, encoded json.RawMessage) (any, error) {
		var arguments A
		if err := json.Unmarshal(encoded, &arguments); err != nil {
			return nil, err
		}
		return do(ctx, arguments)
	}
}
