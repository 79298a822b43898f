package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	schedulepb "go.temporal.io/api/schedule/v1"
	"go.temporal.io/server/service/worker/scheduler"
	"google.golang.org/protobuf/proto"
)

// question asks for the times of a schedule's specification, a temporal.api.schedule.v1.ScheduleSpec, in the half-open
// interval [From, To) of Unix seconds.
type question struct {
	Spec     []byte
	From, To int64
}

// times answers questions, which it reads as JSON, with lists of Unix seconds, as the server would compute them.
func times(in io.Reader, out io.Writer) error {
	unlimited := func() int { return math.MaxInt }
	builder := scheduler.NewSpecBuilder(unlimited, unlimited)
	questions, answers := json.NewDecoder(in), json.NewEncoder(out)
	for {
		var q question
		if err := questions.Decode(&q); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		var spec schedulepb.ScheduleSpec
		if err := proto.Unmarshal(q.Spec, &spec); err != nil {
			return err
		}
		compiled, err := builder.NewCompiledSpec(&spec)
		if err != nil {
			return fmt.Errorf("compile the specification: %w", err)
		}
		all := []int64{}
		for after := q.From - 1; ; {
			next, err := compiled.GetNextTime("", time.Unix(after, 0))
			if err != nil {
				return err
			}
			if next.Next.IsZero() || next.Next.Unix() >= q.To {
				break
			}
			after = next.Next.Unix()
			all = append(all, after)
		}
		if err := answers.Encode(all); err != nil {
			return err
		}
	}
}
