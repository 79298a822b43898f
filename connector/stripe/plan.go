package stripe

import (
	"crypto/rand"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/stripe/rawjson"
)

// output is one selected stream in a Read.
type output struct {
	stream      *stream
	selection   *rawjson.Selection // nil: everything
	incremental bool
	swept       bool // incremental, and events tell of changes
	generation  int64
	given       *state   // where it goes on; nil if from the beginning
	givenAs     string   // the path of that in the request
	changes     *changes // of swept streams
	notice      string   // what the user should know when it begins
	resumed     bool     // its lists were begun by an earlier Read
	eventless   bool     // the key may not read events
	unreachable bool     // and so its lists are to be read again
	member      *member
	pass        *pass // that reads it, or did; nil if only events do

	progress // what became of it so far; belongs to the emitter
}

// plan turns a request into passes, and gives their outputs in the order of the request. The error is a
// *connector.Failure that names every wrong field.
func (s *Source) plan(c config, req connector.ReadRequest, mu *sync.Mutex) ([]*pass, []*output, error) {
	p := s.planner(c, mu)
	if req.Reconcile {
		p.setRange(time.Time{}, time.Time{}) // the request's range is that to compare
	} else {
		p.setRange(req.From, req.To)
	}
	p.selectStreams(req.Streams)
	p.takeStates(req.States)
	p.follow(req)
	p.reconcile(req)
	if len(p.violations) > 0 {
		return nil, nil, connector.Invalid(p.violations...)
	}
	return p.passes(p.outputs), p.outputs, nil
}

func (s *Source) planner(c config, mu *sync.Mutex) *planner {
	now := s.options.Now()
	return &planner{source: s, config: c, mu: mu, now: second(now.Unix()), stamp: now.UnixMilli()}
}

// planner gathers outputs and what is wrong with the request.
type planner struct {
	source     *Source
	config     config
	mu         *sync.Mutex // of the run
	now        second
	stamp      int64  // now, in milliseconds
	from, to   second // what passes that begin read
	bounded    bool   // the request bounds that
	outputs    []*output
	violations []connector.Violation
}

func (p *planner) wrong(field, format string, args ...any) {
	p.violations = append(p.violations, connector.Violation{Field: field, Description: fmt.Sprintf(format, args...)})
}

func (p *planner) selectStreams(configured []connector.ConfiguredStream) {
	if len(configured) == 0 {
		p.wrong("streams", "is empty: name at least one stream of Discover's.")
	}
	for i, stream := range configured {
		field := fmt.Sprintf("streams[%d].stream", i)
		row := p.source.streams.find(stream.Stream)
		switch {
		case row == nil:
			p.wrong(field, "is %s, which is no stream.%s Discover lists them all.", echo(stream.Stream), suggest(stream.Stream, p.source.streams.names()))
			continue
		case p.output(row.Name) != nil:
			p.wrong(field, "names %q a second time: name each stream once.", stream.Stream)
			continue
		}
		incremental := stream.SyncMode == connector.Incremental
		if incremental && p.bounded {
			p.wrong(fmt.Sprintf("streams[%d].sync_mode", i), "is INCREMENTAL, and the request has a time_range: leave one of them out. An incremental read covers all that changed since its state.")
		}
		p.outputs = append(p.outputs, &output{
			stream:      row,
			incremental: incremental,
			swept:       incremental && p.source.streams.swept(row),
			generation:  firstGeneration,
			selection:   p.selectFields(row, fmt.Sprintf("streams[%d]", i), stream.Fields, incremental),
		})
	}
}

func (p *planner) selectFields(row *stream, at string, fields []string, incremental bool) *rawjson.Selection {
	if len(fields) == 0 {
		return nil
	}
	shape := p.source.streams.properties(row)
	for i, field := range fields {
		if problem := checkPath(row, shape, field); problem != "" {
			p.wrong(fmt.Sprintf("%s.fields[%d]", at, i), "is %s: %s", echo(field), problem)
		}
	}
	paths := slices.Concat(fields, row.primaryKey())
	if row.Cursor != "" {
		paths = append(paths, row.Cursor)
	}
	if key := row.parentKey(); incremental && key != "" {
		paths = append(paths, key) // else its rows could not be replaced by parent
	}
	return rawjson.Select(paths...)
}

func (p *planner) output(name string) *output {
	i := slices.IndexFunc(p.outputs, func(o *output) bool { return o.stream.Name == name })
	if i < 0 {
		return nil
	}
	return p.outputs[i]
}

func (p *planner) takeStates(states []connector.StreamState) {
	for i, given := range states {
		at := fmt.Sprintf("states[%d]", i)
		out := p.output(given.Stream)
		switch {
		case out == nil:
			p.wrong(at+".stream", "is %s, which is not among the streams to read: select it, or leave its state out.", echo(given.Stream))
			continue
		case given.Account != p.config.Account:
			p.wrong(at+".account", "is %s, and the configuration reads %q: use the states of this account.", echo(given.Account), p.config.Account)
			continue
		case out.given != nil:
			p.wrong(at+".stream", "is %q a second time: give the last state of each stream.", given.Stream)
			continue
		}
		parsed, err := parseState(given.State, p.config.mode(), p.now)
		if err != nil {
			p.wrong(at+".content", "of %s %v. To read the stream from the beginning, leave its state out.", given.Stream, err)
			continue
		}
		out.given, out.givenAs = &parsed, at+".content"
	}
}

// follow refuses what a Read that never ends cannot do.
func (p *planner) follow(req connector.ReadRequest) {
	if !req.Follow {
		return
	}
	for i, configured := range req.Streams {
		if out := p.output(configured.Stream); out != nil && !out.incremental {
			p.wrong(fmt.Sprintf("streams[%d].sync_mode", i), "is FULL_REFRESH, which ends: with follow, choose INCREMENTAL.")
		}
	}
}

// part is what some streams read together: from one endpoint, from one point on.
type part struct {
	root          *stream
	pass          string // the pass to go on with; empty for a new one
	goesOn        bool   // what was covered before stays, and only this is read:
	from, covered second // what was created between these, since the start date was moved back
	trail         second // what was created from here on
}

// passes groups the outputs: those of one endpoint that begin go together, and so do those that one pass left behind.
// Outputs that only events concern have no pass.
func (p *planner) passes(outputs []*output) []*pass {
	var order []part
	parts := map[part][]*output{}
	for _, out := range outputs {
		g, lists := p.begin(out)
		if !lists {
			continue
		}
		if parts[g] == nil {
			order = append(order, g)
		}
		parts[g] = append(parts[g], out)
	}
	passes := make([]*pass, len(order))
	for i, g := range order {
		passes[i] = p.pass(g, parts[g])
	}
	return passes
}

// begin decides where an output goes on, and tells whether it has lists to read.
func (p *planner) begin(out *output) (part, bool) {
	g := part{root: p.source.streams.root(out.stream)}
	given := out.given
	out.resumed = false
	if given == nil {
		p.anew(out)
		return g, true
	}
	out.generation = given.Generation
	if out.swept {
		out.changes = p.changesOf(given)
	}
	switch {
	case out.unreachable:
		out.unreachable = false
		p.anew(out)
		return g, true
	case out.swept && out.changes.From < p.now-mostAway:
		out.notice = fmt.Sprintf("The last sync is too long ago: it applied the changes until %s, and Stripe keeps events for 30 days. The stream is read again from the beginning.", out.changes.Until)
		p.anew(out)
		return g, true
	case len(given.Windows) > 0:
		out.resumed = true
		g.pass = p.leadsTo(given.Pass)
		return g, true
	case !out.incremental || p.source.streams.freshness(out.stream) == connector.ByFull:
		p.anew(out)
		return g, true
	}
	g.goesOn, g.covered, g.from, g.trail = true, given.From, given.From, p.now
	if g.root.Cursor != "" {
		g.from, g.trail = min(given.From, p.earliest(g.root)), p.trail(out, g.root)
	}
	return g, g.trail < p.now || g.from < g.covered
}

// anew lets an output begin at the beginning in a new generation, so that rows that do not come back can be removed: all
// but those of a stream that outlives its objects, and those outside the bounds of the request. Generations are numbered by
// the clock, in milliseconds, so that each is higher than any before, also than one of a Read that left no state.
func (p *planner) anew(out *output) {
	if !out.stream.appendOnly() && !p.bounded {
		out.generation = max(out.generation+1, p.stamp)
	}
	out.changes = nil
	if out.swept {
		from := p.now - p.config.Overlap
		out.changes = &changes{From: from, Until: from}
	}
}

// firstGeneration is that of streams of which no row is ever to be removed because it did not come back.
const firstGeneration = 1

// mostAway is how old the oldest event to look for may be: Stripe keeps them for 30 days, and a sweep takes some time.
const mostAway = 29 * day

// changesOf gives where the sweep of a stream goes on. A state without changes, of a full refresh or of an older
// version, goes on from the end of its range.
func (p *planner) changesOf(given *state) *changes {
	if given.Changes == nil {
		from := given.To - p.config.Overlap
		return &changes{From: from, Until: from, Reread: p.now + readMargin}
	}
	c := *given.Changes
	return &c
}

// trail gives the creation time from which a stream's list is read again; the future if it is not.
func (p *planner) trail(out *output, root *stream) second {
	from, until := p.now, out.given.To
	if out.changes != nil {
		until = max(until, out.changes.Until)
	}
	if root.NewUnannounced {
		from = out.given.To - lateListing
	}
	if p.config.Lookback > 0 {
		from = min(from, until-p.config.Lookback)
	}
	if pending := out.given.Pending; pending > 0 {
		from = min(from, pending)
	}
	return max(from, out.given.From)
}

// leadsTo gives the pass that a stream goes on with: its own, or that of another stream which went on from there.
func (p *planner) leadsTo(id passID) string {
	for _, other := range p.outputs {
		if other.given != nil && len(other.given.Windows) > 0 && id.led(other.given.Pass) {
			return other.given.Pass.ID
		}
	}
	return id.ID
}

func (p *planner) pass(g part, outputs []*output) *pass {
	result := &pass{
		root:    g.root,
		outputs: outputs,
		mu:      p.mu,
		id:      passID{ID: rand.Text()[:8], Streams: len(outputs)},
		from:    p.earliest(g.root),
		to:      p.to,
	}
	for _, out := range outputs {
		out.pass = result
	}
	result.family = p.source.streams.family(g.root, nil, outputs)
	switch {
	case g.goesOn:
		result.from = g.from
		if g.from < g.covered {
			result.spans = append(result.spans, newSpan(window{From: g.from, To: g.covered}))
		}
		if g.trail < p.now {
			result.spans = append(result.spans, newSpan(window{From: g.trail, To: p.now}))
		}
		return result
	case g.pass == "":
		result.spans = []*span{newSpan(window{From: result.from, To: result.to})}
		return result
	}
	furthestBehind := outputs[0].given
	for _, out := range outputs[1:] {
		if out.given.Pass.before(furthestBehind.Pass) {
			furthestBehind = out.given
		}
	}
	if furthestBehind.Pass.Streams == len(outputs) { // else those left out would no longer be in step
		result.id.Since = &passPoint{furthestBehind.Pass.ID, furthestBehind.Pass.Sequence}
	}
	for _, w := range furthestBehind.Windows {
		result.spans = append(result.spans, newSpan(w))
	}
	result.to, result.pending = furthestBehind.To, furthestBehind.Pending
	if result.from < furthestBehind.From && !p.bounded { // the start date was moved back meanwhile
		result.spans = append(result.spans, newSpan(window{From: result.from, To: furthestBehind.From}))
		return result
	}
	result.from = furthestBehind.From
	return result
}

// setRange takes the range of the request; by default it is the configured start until now.
func (p *planner) setRange(from, to time.Time) {
	p.from, p.to = second(p.config.Start.Unix()), p.now
	p.bounded = !from.IsZero() || !to.IsZero()
	if !from.IsZero() {
		p.from = second(from.Unix())
	}
	if !to.IsZero() {
		p.to = min(p.now, second(to.Unix()))
	}
}

// earliest gives the first second that a pass over root reads.
func (p *planner) earliest(root *stream) second {
	from := p.from
	if root.RetentionDays > 0 {
		from = max(from, p.now-second(root.RetentionDays)*second(24*time.Hour/time.Second))
	}
	return min(from, p.to)
}

// family gives the endpoint of a stream with those of its descendants that lead to an output; nil if none does.
func (t table) family(endpoint *stream, parent *member, outputs []*output) *member {
	m := &member{stream: endpoint, parent: parent, objects: t.objects(endpoint)}
	for _, out := range outputs {
		if out.stream.sameEndpoint(endpoint) {
			m.outputs = append(m.outputs, out)
			out.member = m
		}
	}
	for i := range t {
		row := &t[i]
		if !row.sameEndpoint(endpoint) {
			continue
		}
		for _, below := range t.endpoints(row.Name) {
			if child := t.family(below, m, outputs); child != nil {
				child.parentObject = row.Object
				m.children = append(m.children, child)
			}
		}
	}
	if len(m.outputs)+len(m.children) == 0 {
		return nil
	}
	return m
}
