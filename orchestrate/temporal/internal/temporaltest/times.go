package temporaltest

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"testing"
	"time"

	schedulepb "go.temporal.io/api/schedule/v1"
	"google.golang.org/protobuf/proto"
)

// Times computes the times of schedules with the server's own code.
type Times struct {
	questions *json.Encoder
	answers   *json.Decoder
}

// NewTimes builds the server in folder source and starts it to compute times until the test ends.
func NewTimes(t *testing.T, source string) *Times {
	t.Helper()
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), "go", "run", ".", "times")
	cmd.Dir, cmd.Stderr = source, os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close() // ends the program
		_ = cmd.Wait()
	})
	return &Times{json.NewEncoder(in), json.NewDecoder(out)}
}

// Of returns the times of a specification in the half-open interval [from, to).
func (times *Times) Of(t *testing.T, spec *schedulepb.ScheduleSpec, from, to time.Time) []time.Time {
	t.Helper()
	content, err := proto.Marshal(spec)
	if err != nil {
		t.Fatal(err)
	}
	question := struct {
		Spec     []byte
		From, To int64
	}{content, from.Unix(), to.Unix()}
	if err := times.questions.Encode(question); err != nil {
		t.Fatal(err)
	}
	var seconds []int64
	if err := times.answers.Decode(&seconds); err != nil {
		t.Fatal(err)
	}
	all := make([]time.Time, len(seconds))
	for i, s := range seconds {
		all[i] = time.Unix(s, 0).UTC()
	}
	return all
}
