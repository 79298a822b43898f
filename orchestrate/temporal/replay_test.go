package temporal_test

import (
	"os"
	"path/filepath"
	"testing"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/stripe-connector/stripe-connector/orchestrate/temporal"
)

// record stores the history of a workflow for TestReplay if the flag -update is set.
func (w *world) record(name string, run client.WorkflowRun) {
	w.Helper()
	if !*update {
		return
	}
	text, err := protojson.MarshalOptions{Indent: " "}.Marshal(w.history(run))
	if err == nil {
		err = os.WriteFile(filepath.Join("testdata", name+".json"), text, 0o644)
	}
	if err != nil {
		w.Fatal(err)
	}
}

// TestReplay replays histories of other tests. It fails if the workflow code makes other decisions than when they were recorded,
// which would block workflows that are running during an upgrade. See the type execution.
func TestReplay(t *testing.T) {
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) < 6 {
		t.Fatalf("got %d histories, %v, want at least 6: record them with -update", len(files), err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			replayer := worker.NewWorkflowReplayer()
			temporal.Register(replayer)
			if err := replayer.ReplayWorkflowHistoryFromJSONFile(nil, file); err != nil {
				t.Error(err)
			}
		})
	}
}
