package airbyte_test

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

//go:embed testdata/protocol.schema.json
var protocolText []byte

// protocol returns the JSON Schema of a message.
var protocol = sync.OnceValue(func() *jsonschema.Schema { return compile(protocolText) })

// compile compiles a JSON Schema.
func compile(text []byte) *jsonschema.Schema {
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		panic(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("schema.json", document); err != nil {
		panic(err)
	}
	return c.MustCompile("schema.json")
}

// validate validates text against a schema.
func validate(schema *jsonschema.Schema, text []byte) error {
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return err
	}
	return schema.Validate(value)
}

// line is a message, decoded.
type line struct {
	Type   string
	Record struct {
		Stream    string
		Data      json.RawMessage
		EmittedAt int64 `json:"emitted_at"`
	}
	State struct {
		Stream struct {
			Descriptor struct{ Name string } `json:"stream_descriptor"`
			State      json.RawMessage       `json:"stream_state"`
		}
		SourceStats struct {
			RecordCount json.Number `json:"recordCount"`
		} `json:"sourceStats"`
	}
	Trace struct {
		Type         string
		EmittedAt    int64 `json:"emitted_at"`
		StreamStatus struct {
			Descriptor struct{ Name string } `json:"stream_descriptor"`
			Status     string
			Reasons    []struct{ Type string }
		} `json:"stream_status"`
		Error struct {
			Message     string
			FailureType string                `json:"failure_type"`
			Descriptor  struct{ Name string } `json:"stream_descriptor"`
		}
		Estimate struct {
			Name string
			Rows int64 `json:"row_estimate"`
		}
	}
	Log              struct{ Level, Message string }
	ConnectionStatus struct{ Status, Message string }
	Catalog          struct{ Streams []catalogStream }
	Spec             struct {
		Specification json.RawMessage `json:"connectionSpecification"`
	}
}

type catalogStream struct {
	Name       string          `json:"name"`
	JSONSchema json.RawMessage `json:"json_schema"`
	Modes      []string        `json:"supported_sync_modes"`
	Key        [][]string      `json:"source_defined_primary_key,omitempty"`
	Cursor     []string        `json:"default_cursor_field,omitempty"`
}

// decode decodes the lines of an output, each of which must be a message.
func decode(output []byte) (lines []line, problems []string) {
	for i, text := range bytes.SplitAfter(output, []byte("\n")) {
		if len(text) == 0 {
			break
		}
		var l line
		err := validate(protocol(), text)
		if err == nil {
			err = json.Unmarshal(text, &l)
		}
		switch {
		case err != nil:
			problems = append(problems, fmt.Sprintf("line %d is no message: %v: %.300s", i+1, err, text))
			continue
		case !bytes.HasSuffix(text, []byte("\n")):
			problems = append(problems, fmt.Sprintf("line %d isn't complete", i+1))
		}
		lines = append(lines, l)
	}
	return lines, problems
}

// judged is what the referee knows about a stream.
type judged struct {
	status  string
	records int64    // since the last state
	sent    int64    // in all
	states  int      // in this read
	last    string   // the last state
	before  []string // states with records after them
}

var withPoint = regexp.MustCompile(`^\d+\.\d+$`)

// judge returns the rules that the output of a read breaks, other than those in the messages' schema. whole means that the read
// wasn't interrupted.
func judge(lines []line, selected []string, whole bool) (problems []string) {
	wrong := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	streams := map[string]*judged{}
	for _, name := range selected {
		streams[name] = &judged{}
	}
	unknown := &judged{}
	find := func(name string) *judged {
		if s := streams[name]; s != nil {
			return s
		}
		wrong("a message is about %q, which isn't in the configured catalog", name)
		return unknown
	}
	for i, l := range lines {
		switch l.Type {
		case "RECORD":
			s := find(l.Record.Stream)
			if s.status != "RUNNING" {
				wrong("line %d: a record of %s, which is %q", i, l.Record.Stream, s.status)
			}
			s.records++
			s.sent++
		case "STATE":
			name := l.State.Stream.Descriptor.Name
			s := find(name)
			if s.status != "STARTED" && s.status != "RUNNING" {
				wrong("line %d: a state of %s, which is %q", i, name, s.status)
			}
			count := l.State.SourceStats.RecordCount.String()
			if count != fmt.Sprintf("%d.0", s.records) || !withPoint.MatchString(count) {
				wrong("line %d: recordCount of %s is %s after %d records", i, name, count, s.records)
			}
			state := string(l.State.Stream.State)
			if s.records > 0 && s.last != "" {
				s.before = append(s.before, s.last)
			}
			for _, before := range s.before {
				if before == state {
					wrong("line %d: %s has an earlier state again, with records between: %s", i, name, state)
				}
			}
			s.last, s.records = state, 0
			s.states++
		case "TRACE":
			problems = append(problems, judgeTrace(i, l, find)...)
		case "LOG":
		default:
			wrong("line %d: a read prints a %s", i, l.Type)
		}
	}
	if !whole {
		return problems
	}
	for name, s := range streams {
		switch {
		case s.status == "" && len(lines) > 0 && lines[len(lines)-1].Trace.Type == "ERROR": // the command failed before it began
		case s.status != "COMPLETE" && s.status != "INCOMPLETE":
			wrong("%s ends %q", name, s.status)
		case s.status == "COMPLETE" && s.states == 0:
			wrong("%s is complete without a state", name)
		case s.status == "COMPLETE" && s.records > 0:
			wrong("%s is complete, and its last %d records have no state", name, s.records)
		}
	}
	return problems
}

func judgeTrace(i int, l line, find func(string) *judged) (problems []string) {
	switch l.Trace.Type {
	case "STREAM_STATUS":
		name, status := l.Trace.StreamStatus.Descriptor.Name, l.Trace.StreamStatus.Status
		s := find(name)
		legal := map[string]string{"STARTED": "", "RUNNING": "STARTED RUNNING", "COMPLETE": "STARTED RUNNING", "INCOMPLETE": "STARTED RUNNING"}[status]
		if s.status == "" && legal != "" || !strings.Contains(legal, s.status) {
			problems = append(problems, fmt.Sprintf("line %d: %s is %s after %q", i, name, status, s.status))
		}
		if status == "RUNNING" && s.status == "RUNNING" && len(l.Trace.StreamStatus.Reasons) == 0 && s.sent > 0 {
			problems = append(problems, fmt.Sprintf("line %d: %s is RUNNING again without a reason", i, name))
		}
		s.status = status
	case "ESTIMATE":
		find(l.Trace.Estimate.Name)
	case "ERROR":
		if name := l.Trace.Error.Descriptor.Name; name != "" {
			if s := find(name); s.status == "COMPLETE" || s.status == "INCOMPLETE" {
				problems = append(problems, fmt.Sprintf("line %d: an error of %s after it has ended", i, name))
			}
		}
	}
	return problems
}
