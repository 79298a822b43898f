package state

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stripe-connector/stripe-connector/connector"
)

// attempted holds the JSON members common to all set-aside items.
const attempted = `"since":"2024-06-01T00:00:00Z","tries":2,"next":"2024-06-01T00:30:00Z","cause":{"class":5,"message":"no","status":500}`

// withSetAside returns a complete state with these items set aside.
func withSetAside(items string) string {
	return strings.Replace(finished, `"windows"`, `"aside":[`+items+`],"windows"`, 1)
}

func TestParseValidatesSetAside(t *testing.T) {
	tests := map[string]struct {
		items   string
		problem string // empty if valid
	}{
		"an object":        {`{"id":"ch_1",` + attempted + `}`, ""},
		"each once":        {`{"id":"ch_1",` + attempted + `},{"id":"ch_1","of":"charges",` + attempted + `}`, ""},
		"twice":            {`{"id":"ch_1",` + attempted + `},{"id":"ch_1",` + attempted + `}`, "aside[1] is a duplicate"},
		"nothing":          {`{` + attempted + `}`, "aside[0] names neither"},
		"an empty window":  {`{"from":"2024-06-01T00:00:00Z","to":"2024-06-01T00:00:00Z",` + attempted + `}`, "names neither"},
		"two things":       {`{"id":"ch_1","from":"2024-06-01T00:00:00Z",` + attempted + `}`, "more than one"},
		"two relations":    {`{"id":"ch_1","of":"charges","parent":"cus_1",` + attempted + `}`, "more than one"},
		"no attempts":      {`{"id":"ch_1",` + strings.Replace(attempted, `"tries":2`, `"tries":0`, 1) + `}`, "attempts"},
		"future attempt":   {`{"id":"ch_1",` + strings.Replace(attempted, `"since":"2024`, `"since":"2025`, 1) + `}`, "attempts"},
		"without a cause":  {`{"id":"ch_1",` + strings.Replace(attempted, `"class":5,`, ``, 1) + `}`, "invalid cause"},
		"a long name":      {`{"id":"` + strings.Repeat("x", 3*maxID) + `",` + attempted + `}`, "too long"},
		"too many":         {strings.TrimSuffix(strings.Repeat(`{"id":"ch_1",`+attempted+`},`, MaxSetAside+1), ","), "sets aside 101 items"},
		"an unknown field": {`{"id":"ch_1","x":1,` + attempted + `}`, "is damaged"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := Parse(json.RawMessage(withSetAside(test.items)), "test", testNow)
			if (err == nil) != (test.problem == "") || err != nil && !strings.Contains(err.Error(), test.problem) {
				t.Errorf("got %v, want %q", err, test.problem)
			}
		})
	}
}

func TestCausesAreBounded(t *testing.T) {
	failure := &connector.Failure{Class: connector.Transient, Message: strings.Repeat("é", maxCause), HTTPStatus: 500}
	cause := CauseOf(failure)
	if len(cause.Message) > maxCause || !strings.HasSuffix(cause.Message, "é…") {
		t.Errorf("got %d bytes: %s", len(cause.Message), cause.Message)
	}
	if again := CauseOf(cause.Failure()); again != cause {
		t.Errorf("got %+v, want %+v", again, cause)
	}
}
