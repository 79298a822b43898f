package temporal

import (
	"cmp"

	"go.temporal.io/sdk/workflow"
)

const (
	defaultWidth = 10
	// defaultBatch bounds the history of WorkflowFanOut, at some ten events for each pipeline, well below the number from which
	// Temporal suggests to continue as new.
	defaultBatch = 200
	// maxNamed bounds the number of failed pipelines that a result names.
	maxNamed = 100
)

// FanOut is the argument of WorkflowFanOut.
type FanOut struct {
	// Names are the pipelines to run.
	Names []string `json:"names"`
	// Width is how many of them may run at the same time. Zero means 10.
	Width int `json:"width,omitempty"`
	// Batch is how many of them one run of the workflow starts before it continues as new. Zero means 200.
	Batch int `json:"batch,omitempty"`
	// Done is the result of the runs before.
	Done FanOutResult `json:"done"`
}

// FanOutResult is the result of WorkflowFanOut: the number of pipelines by outcome.
type FanOutResult struct {
	Succeeded int `json:"succeeded"`
	// Skipped pipelines were already running.
	Skipped int `json:"skipped"`
	Paused  int `json:"paused"`
	Failed  int `json:"failed"`
	// Failures names the first 100 pipelines that failed.
	Failures []string `json:"failures,omitempty"`
}

func (r *FanOutResult) add(name string, result Result, err error) {
	switch {
	case err != nil:
		r.Failed++
		if len(r.Failures) < maxNamed {
			r.Failures = append(r.Failures, name)
		}
	case result.Status == StatusSkipped:
		r.Skipped++
	case result.Status == StatusPaused:
		r.Paused++
	default:
		r.Succeeded++
	}
}

// fanOut is WorkflowFanOut. A pipeline that fails doesn't stop the others. If the workflow is canceled, so are the pipelines
// that it has started.
func fanOut(ctx workflow.Context, f FanOut) (FanOutResult, error) {
	batch := f.Names[:min(len(f.Names), cmp.Or(f.Batch, defaultBatch))]
	places := workflow.NewSemaphore(ctx, int64(cmp.Or(f.Width, defaultWidth)))
	running := workflow.NewWaitGroup(ctx)
	for _, name := range batch {
		if places.Acquire(ctx, 1) != nil {
			break // canceled
		}
		running.Add(1)
		workflow.Go(ctx, func(ctx workflow.Context) {
			defer running.Done()
			defer places.Release(1)
			result, err := due(ctx, name)
			f.Done.add(name, result, err)
		})
	}
	running.Wait(ctx)
	if ctx.Err() != nil {
		return f.Done, ctx.Err()
	}
	if f.Names = f.Names[len(batch):]; len(f.Names) > 0 {
		return f.Done, workflow.NewContinueAsNewError(ctx, WorkflowFanOut, f)
	}
	return f.Done, nil
}
