package plan

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/stripe/clock"
	"github.com/stripe-connector/stripe-connector/connector/stripe/hint"
	"github.com/stripe-connector/stripe-connector/connector/stripe/rawjson"
	"github.com/stripe-connector/stripe-connector/connector/stripe/selected"
	"github.com/stripe-connector/stripe-connector/connector/stripe/state"
	"github.com/stripe-connector/stripe-connector/connector/stripe/table"
)

func (p *planner) wrong(field, format string, args ...any) {
	p.violations = append(p.violations, connector.Violation{Field: field, Description: fmt.Sprintf(format, args...)})
}

func (p *planner) selectStreams(configured []connector.ConfiguredStream) {
	if len(configured) == 0 {
		p.wrong("streams", "is empty: name at least one stream from Discover.")
	}
	for i, stream := range configured {
		field := fmt.Sprintf("streams[%d].stream", i)
		row := p.table.Find(stream.Stream)
		switch {
		case row == nil:
			p.wrong(field, "is %s, %s", hint.Quote(stream.Stream), p.noStream(stream.Stream))
			continue
		case p.find(row.Name) != nil:
			p.wrong(field, "names %q more than once: name each stream once.", stream.Stream)
			continue
		}
		incremental := stream.SyncMode == connector.Incremental
		if incremental && p.bounded {
			p.wrong(fmt.Sprintf("streams[%d].sync_mode", i), "can't be INCREMENTAL in a request with a time_range: omit one of them. An incremental read covers everything that changed since its state.")
		}
		s := &selected.Stream{Row: row, APIVersion: p.config.APIVersion, Incremental: incremental, Swept: incremental && p.table.Swept(row)}
		known := p.table.Fields(row)
		s.Drift = selected.NewDrift(known)
		s.Selection, s.Expansions = p.selectFields(row, known, fmt.Sprintf("streams[%d]", i), stream.Fields, incremental)
		p.selected = append(p.selected, s)
	}
}

// noStream describes why there is no stream of the given name.
func (p *planner) noStream(name string) string {
	editions := table.Editions(name)
	if len(editions) == 0 {
		return "which is not a stream." + hint.Nearest(name, p.table.Names()) + " Discover lists all streams."
	}
	versions := make([]string, len(editions))
	for i, e := range editions {
		versions[i] = e.Version
	}
	return fmt.Sprintf("which API version %s doesn't have: omit it, or set api_version to %s.", p.config.APIVersion, strings.Join(versions, " or "))
}

// selectFields returns a stream's field selection, nil meaning all fields, and the expansions it requires.
func (p *planner) selectFields(row *table.Stream, known table.Fields, at string, fields []string, incremental bool) (*rawjson.Selection, []table.Expansion) {
	if len(fields) == 0 {
		return nil, known.Defaults()
	}
	var expansions []table.Expansion
	paths := slices.Clone(row.PrimaryKey())
	for i, field := range fields {
		if field == table.AllFields {
			expansions = append(expansions, known.Defaults()...)
			continue
		}
		column, problem := known.Column(field)
		if problem != "" {
			p.wrong(fmt.Sprintf("%s.fields[%d]", at, i), "is %s: %s", hint.Quote(field), problem)
			continue
		}
		paths = append(paths, column.Path)
		if len(column.Expansion.Steps) > 0 {
			expansions = append(expansions, column.Expansion)
		}
		for _, step := range column.Expansion.Steps {
			if !step.Includes {
				paths = append(paths, step.Path+".id") // keeps expanded objects joinable
			}
		}
	}
	if slices.Contains(fields, table.AllFields) {
		return nil, expansions
	}
	if row.Cursor != "" {
		paths = append(paths, row.Cursor)
	}
	if key := row.ParentRef(); incremental && key != "" {
		paths = append(paths, key) // needed to replace rows by parent
	}
	return rawjson.Select(paths...), expansions
}

// find returns the selected stream with the given name, or nil.
func (p *planner) find(name string) *selected.Stream {
	i := slices.IndexFunc(p.selected, func(s *selected.Stream) bool { return s.Row.Name == name })
	if i < 0 {
		return nil
	}
	return p.selected[i]
}

func (p *planner) takeStates(states []connector.StreamState) {
	for i, given := range states {
		at := fmt.Sprintf("states[%d]", i)
		s := p.find(given.Stream)
		switch {
		case s == nil:
			p.wrong(at+".stream", "is %s, which is not among the streams to read: select it, or omit its state.", hint.Quote(given.Stream))
			continue
		case given.Account != p.config.Account:
			p.wrong(at+".account", "is %s, but the configuration reads %q: use the states of that account.", hint.Quote(given.Account), p.config.Account)
			continue
		case s.Given != nil:
			p.wrong(at+".stream", "names %q more than once: send only the last state of each stream.", given.Stream)
			continue
		}
		parsed, err := p.parse(given)
		if newer, ok := errors.AsType[state.NewerError](err); ok {
			p.older = outdated(given.Stream, newer)
			continue
		}
		if err != nil {
			p.wrong(at+".content", "of %s %v. To read the stream from the beginning, omit its state.", given.Stream, err)
			continue
		}
		s.Given, s.GivenPath = &parsed, at+".content"
	}
}

// outdated returns the failure for a state that a newer release wrote. During a rolling update, a retry reaches an updated replica.
func outdated(stream string, newer state.NewerError) *connector.Failure {
	return &connector.Failure{
		Class: connector.Transient, Retryable: true, RetryAfter: 10 * time.Second, Stream: stream,
		Message: fmt.Sprintf("The state of %s %v. If the service is being updated, retry. Otherwise update it to the release that wrote the state, "+
			"or leave the state out to read the stream from the beginning.", stream, newer),
	}
}

// checkFollow rejects options that a Read without an end cannot support.
func (p *planner) checkFollow(req connector.ReadRequest) {
	if !req.Follow {
		return
	}
	for i, configured := range req.Streams {
		if s := p.find(configured.Stream); s != nil && !s.Incremental {
			p.wrong(fmt.Sprintf("streams[%d].sync_mode", i), "is FULL_REFRESH, which ends: use INCREMENTAL with follow.")
		}
	}
}

// endOfTime is later than any time in a state.
const endOfTime = clock.Second(1 << 40)

func (p *planner) parse(given connector.StreamState) (state.State, error) {
	now := p.now
	if p.timeless {
		now = endOfTime
	}
	return state.Parse(given.State, p.config.Mode(), now)
}
