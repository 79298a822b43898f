package state

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stripe-connector/stripe-connector/connector"
)

// tried are the members that every thing set aside has.
const tried = `"since":"2024-06-01T00:00:00Z","tries":2,"next":"2024-06-01T00:30:00Z","cause":{"class":5,"message":"no","status":500}`

// withAside returns a state that sets these things aside.
func withAside(things string) string {
	return strings.Replace(finished, `"windows"`, `"aside":[`+things+`],"windows"`, 1)
}

func TestParseChecksWhatIsSetAside(t *testing.T) {
	tests := map[string]struct {
		things  string
		problem string // empty: it is fine
	}{
		"an object":        {`{"id":"ch_1",` + tried + `}`, ""},
		"each once":        {`{"id":"ch_1",` + tried + `},{"id":"ch_1","of":"charges",` + tried + `}`, ""},
		"twice":            {`{"id":"ch_1",` + tried + `},{"id":"ch_1",` + tried + `}`, "aside[1] comes a second time"},
		"nothing":          {`{` + tried + `}`, "aside[0] names neither"},
		"an empty window":  {`{"from":"2024-06-01T00:00:00Z","to":"2024-06-01T00:00:00Z",` + tried + `}`, "names neither"},
		"two things":       {`{"id":"ch_1","from":"2024-06-01T00:00:00Z",` + tried + `}`, "more than one"},
		"two relations":    {`{"id":"ch_1","of":"charges","parent":"cus_1",` + tried + `}`, "more than one"},
		"never tried":      {`{"id":"ch_1",` + strings.Replace(tried, `"tries":2`, `"tries":0`, 1) + `}`, "never tried"},
		"tried to-morrow":  {`{"id":"ch_1",` + strings.Replace(tried, `"since":"2024`, `"since":"2025`, 1) + `}`, "never tried"},
		"without a cause":  {`{"id":"ch_1",` + strings.Replace(tried, `"class":5,`, ``, 1) + `}`, "no possible cause"},
		"a long name":      {`{"id":"` + strings.Repeat("x", 3*maxID) + `",` + tried + `}`, "too long"},
		"too many":         {strings.TrimSuffix(strings.Repeat(`{"id":"ch_1",`+tried+`},`, MaxSetAside+1), ","), "sets 101 things aside"},
		"an unknown field": {`{"id":"ch_1","x":1,` + tried + `}`, "is damaged"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := Parse(json.RawMessage(withAside(test.things)), "test", testNow)
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
