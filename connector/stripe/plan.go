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
	stream     *stream
	selection  *rawjson.Selection // nil: everything
	generation int64
	given      *state // the state of the request; nil if there was none
	member     *member

	progress // what became of it so far; belongs to the emitter
}

// plan turns a request into passes, and gives their outputs in the order of the request. The error is a *connector.Failure that names every wrong field.
func (s *Source) plan(c config, req connector.ReadRequest, mu *sync.Mutex) ([]*pass, []*output, error) {
	p := planner{source: s, config: c, mu: mu, now: second(s.options.Now().Unix())}
	p.setRange(req.From, req.To)
	p.selectStreams(req.Streams)
	p.takeStates(req.States)
	if len(p.violations) > 0 {
		return nil, nil, connector.Invalid(p.violations...)
	}
	return p.passes(), p.outputs, nil
}

// planner gathers outputs and what is wrong with the request.
type planner struct {
	source     *Source
	config     config
	mu         *sync.Mutex // of the run
	now        second
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
		p.outputs = append(p.outputs, &output{
			stream:     row,
			generation: 1,
			selection:  p.selectFields(row, fmt.Sprintf("streams[%d]", i), stream.Fields),
		})
	}
}

func (p *planner) selectFields(row *stream, at string, fields []string) *rawjson.Selection {
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
		parsed, err := parseState(given.State, p.config.mode())
		if err != nil {
			p.wrong(at+".state", "of %s %v. To read the stream from the beginning, leave its state out.", given.Stream, err)
			continue
		}
		out.resume(&parsed, p.bounded)
	}
}

// resume lets a stream go on from a state, or begin anew if that was complete. Only reading everything anew makes a new
// generation: rows outside the bounds of a request must not seem to be gone.
func (o *output) resume(given *state, bounded bool) {
	o.given = given
	o.generation = given.Generation
	if len(given.Windows) == 0 && !bounded {
		o.generation++
	}
}

// passes groups the outputs: those of one endpoint that begin go together, and so do those that one pass left behind.
func (p *planner) passes() []*pass {
	type group struct {
		root *stream
		pass string // the pass to go on with; empty for a new one
	}
	var order []group
	grouped := map[group][]*output{}
	for _, out := range p.outputs {
		g := group{root: p.source.streams.root(out.stream)}
		if out.given != nil && len(out.given.Windows) > 0 {
			g.pass = p.leadsTo(out.given.Pass)
		}
		if grouped[g] == nil {
			order = append(order, g)
		}
		grouped[g] = append(grouped[g], out)
	}
	passes := make([]*pass, len(order))
	for i, g := range order {
		passes[i] = p.pass(g.root, grouped[g], g.pass != "")
	}
	return passes
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

func (p *planner) pass(root *stream, outputs []*output, resumed bool) *pass {
	result := &pass{
		root:    root,
		outputs: outputs,
		mu:      p.mu,
		id:      passID{ID: rand.Text()[:8], Streams: len(outputs)},
		from:    p.earliest(root),
		to:      p.to,
	}
	result.family = p.family(root, nil, outputs)
	if !resumed {
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
	result.to = furthestBehind.To
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
func (p *planner) family(endpoint *stream, parent *member, outputs []*output) *member {
	m := &member{stream: endpoint, parent: parent, objects: p.source.streams.objects(endpoint)}
	for _, out := range outputs {
		if out.stream.sameEndpoint(endpoint) {
			m.outputs = append(m.outputs, out)
			out.member = m
		}
	}
	for i := range p.source.streams {
		row := &p.source.streams[i]
		if !row.sameEndpoint(endpoint) {
			continue
		}
		for _, below := range p.source.streams.endpoints(row.Name) {
			if child := p.family(below, m, outputs); child != nil {
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
