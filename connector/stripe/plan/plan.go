package plan

import (
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/stripe/clock"
	"github.com/stripe-connector/stripe-connector/connector/stripe/config"
	"github.com/stripe-connector/stripe-connector/connector/stripe/hint"
	"github.com/stripe-connector/stripe-connector/connector/stripe/schema"
	"github.com/stripe-connector/stripe-connector/connector/stripe/selected"
	"github.com/stripe-connector/stripe-connector/connector/stripe/state"
	"github.com/stripe-connector/stripe-connector/connector/stripe/table"
)

// Part is a group of streams read together, from one endpoint and one starting point.
type Part struct {
	Root     *table.Stream // the stream whose endpoint is paged
	Streams  []*selected.Stream
	ID       state.PassID
	From, To clock.Second   // the range of creation times covered when the part is done
	Windows  []state.Window // the ranges still to read
	Pending  clock.Second   // the creation time of the oldest object that can still change without an event, or 0
	// Relisting means that the lists are read a second time, because the first time was interrupted.
	Relisting bool
	begins    bool // it is read from the beginning
}

// AddClocks adds the objects of test clocks to a part that reads, from the beginning, a list that hides them.
func (p *Part) AddClocks(ids []string) {
	ids = slices.Sorted(slices.Values(ids))
	for _, id := range slices.Compact(ids) { // a list that changes while it is read can show an id twice
		p.Windows = append(p.Windows, state.Window{From: p.From, To: p.To, Clock: id})
	}
}

// HidesClocks reports whether the part reads, from the beginning, a list that hides the objects of test clocks.
func (p *Part) HidesClocks() bool { return p.begins && p.Root.Clocked }

// Plan is a planned request.
type Plan struct {
	Streams []*selected.Stream // in request order
	Parts   []Part
}

// Make plans a request at the given time on Stripe's clock. The error is a *connector.Failure that names every invalid field.
func Make(streams table.Table, c config.Config, req connector.ReadRequest, now time.Time) (Plan, error) {
	p := newPlanner(streams, c, now)
	if err := p.take(req); err != nil {
		return Plan{}, err
	}
	return Plan{Streams: p.selected, Parts: p.parts()}, nil
}

// Check returns the selected streams of a request, with their states. It is for use before Stripe's time is known: checks that
// depend on the time are left to Make. The error is a *connector.Failure that names every invalid field.
func Check(streams table.Table, c config.Config, req connector.ReadRequest, now time.Time) ([]*selected.Stream, error) {
	p := newPlanner(streams, c, now)
	p.timeless = true
	if err := p.take(req); err != nil {
		return nil, err
	}
	return p.selected, nil
}

// take selects the streams of a request and attaches their states.
func (p *planner) take(req connector.ReadRequest) error {
	p.keepsGenerations = req.KeepsGenerations
	if !req.Reconcile { // otherwise the request's range is the one to compare
		p.setRange(req.From, req.To)
	}
	p.selectStreams(req.Streams)
	p.takeStates(req.States)
	p.checkFollow(req)
	p.checkReconcile(req)
	if len(p.violations) > 0 {
		return connector.Invalid(p.violations...)
	}
	if p.older != nil {
		return p.older
	}
	return nil
}

// Replan plans another round for streams of a Read, starting from their current positions.
func Replan(table table.Table, c config.Config, streams []*selected.Stream, now time.Time) []Part {
	p := newPlanner(table, c, now)
	p.selected = streams
	for _, s := range streams {
		given := s.Current
		given.SetAside = s.SetAside()
		s.Given = &given
	}
	return p.parts()
}

func newPlanner(streams table.Table, c config.Config, now time.Time) *planner {
	p := &planner{table: streams, config: c, now: clock.Of(now), stamp: now.UnixMilli()}
	p.setRange(time.Time{}, time.Time{})
	return p
}

// planner collects the selected streams and the problems with the request.
type planner struct {
	table    table.Table
	config   config.Config
	now      clock.Second
	timeless bool         // now is not known for certain
	stamp    int64        // now, in milliseconds
	from, to clock.Second // the range for parts that start from the beginning
	bounded  bool         // whether the request bounds that range
	// keepsGenerations is that of the request.
	keepsGenerations bool
	selected         []*selected.Stream
	violations       []connector.Violation
	older            *connector.Failure // a state is newer than this release; nil if none is
}

// setRange sets the range to read: the request's, which defaults to everything from the configured start until now.
func (p *planner) setRange(from, to time.Time) {
	p.from, p.to = clock.Of(p.config.Start), p.now
	p.bounded = !from.IsZero() || !to.IsZero()
	if !from.IsZero() {
		p.from = clock.Of(from)
	}
	if !to.IsZero() {
		p.to = min(p.now, clock.Of(to))
	}
}

// group is what streams must have in common to be read together.
type group struct {
	root          *table.Stream
	pass          string       // the pass to resume, or "" for a new one
	relisting     bool         // whether this is the second time
	extends       bool         // what was covered stays covered, and only the following is read:
	from, covered clock.Second // objects created between these times, because the start date was moved back
	trail         clock.Second // objects created from this time on
}

// parts groups the selected streams into parts. Streams that only need a sweep of events are in none.
func (p *planner) parts() []Part {
	var order []group
	members := map[group][]*selected.Stream{}
	for _, s := range p.selected {
		g, lists := p.begin(s)
		if !lists {
			s.Enter(selected.Sweeping)
			continue
		}
		s.Enter(selected.Listing)
		if members[g] == nil {
			order = append(order, g)
		}
		members[g] = append(members[g], s)
	}
	parts := make([]Part, len(order))
	for i, g := range order {
		parts[i] = p.part(g, members[g])
	}
	return parts
}

// begin decides where a stream resumes, and reports whether it has lists to read.
func (p *planner) begin(s *selected.Stream) (group, bool) {
	g := group{root: p.table.Root(s.Row), relisting: s.Phase() == selected.Outdated}
	given := s.Given
	s.Resumed, s.NeedsRelist, s.Pending = false, false, 0
	if given == nil {
		p.restart(s)
		return g, true
	}
	s.Generation, s.Current = given.Generation, *given
	g.relisting = g.relisting || given.Relisting && len(given.Windows) == 0
	s.Resume(given.SetAside)
	if s.Swept {
		s.Changes = p.changesOf(given)
		p.catchUp(s)
	}
	switch {
	case s.Phase() == selected.Stranded:
		p.restart(s)
		return g, true
	case s.Swept && s.Changes.From() < p.now-maxEventAge:
		s.Notice = fmt.Sprintf("The last sync was too long ago: it applied changes until %s, and Stripe keeps events for 30 days. The stream will be re-read from the beginning.", s.Changes.Until())
		p.restart(s)
		return g, true
	case given.APIVersion != s.APIVersion && !s.Row.AppendOnly(): // such rows show what was true once, in the version of that time
		s.Notice = migration(s)
		p.restart(s)
		return g, true
	case !slices.Equal(given.Expanded, s.Expanded()):
		s.Notice = fmt.Sprintf("Stripe is now asked to expand %s, and was asked to expand %s before. The stream will be re-read from the beginning, so that all rows have the same fields.",
			joinOrNothing(s.Expanded()), joinOrNothing(given.Expanded))
		p.restart(s)
		return g, true
	case len(given.Windows) > 0:
		s.Resumed = true
		s.NeedsRelist = s.Incremental && !given.Relisting && p.table.Freshness(s.Row) != connector.ByEvents
		g.pass = p.resumes(given.Pass)
		return g, true
	case !s.Incremental || p.table.Freshness(s.Row) == connector.ByFull:
		p.restart(s)
		return g, true
	}
	g.extends, g.covered, g.from, g.trail = true, given.From, given.From, p.now
	if g.root.Cursor != "" {
		g.from, g.trail = min(given.From, p.earliest(g.root)), p.trail(s, g.root)
	}
	return g, g.trail < p.now || g.from < g.covered
}

// migration describes what changes in the rows of a stream whose state is of another API version.
func migration(s *selected.Stream) string {
	text := fmt.Sprintf("The API version is %s now, and was %s: the stream will be re-read from the beginning, so that all rows have the same shape.",
		s.APIVersion, s.Given.APIVersion)
	from, knowsOld := schema.Of(s.Given.APIVersion)
	to, knowsNew := schema.Of(s.APIVersion)
	if !knowsOld || !knowsNew {
		return text
	}
	d := table.Compare(s.Row.Name, from, to)
	for _, part := range []struct {
		name  string
		paths []string
	}{{"No longer filled", d.Gone}, {"New", d.New}, {"Of another type", d.Changed}} {
		if len(part.paths) > 0 {
			text += " " + part.name + ": " + hint.List(part.paths) + "."
		}
	}
	return text
}

// joinOrNothing joins the names for use in a sentence.
func joinOrNothing(names []string) string {
	if len(names) == 0 {
		return "nothing"
	}
	return strings.Join(names, ", ")
}

// restart makes a stream start from the beginning in a new generation, so that rows that do not reappear can be removed. A
// stream that outlives its objects, or that the request bounds, keeps its generation. Generations are numbered by the clock, in
// milliseconds, so each is higher than all earlier ones, including that of a Read that left no state.
func (p *planner) restart(s *selected.Stream) {
	s.Generation = max(s.Generation, state.FirstGeneration)
	if !s.Row.AppendOnly() && !p.bounded {
		s.Generation = max(s.Generation+1, p.stamp)
	}
	before := s.Changes
	s.Changes = nil
	s.Resume(nil) // everything is re-read
	if s.Swept {
		s.Changes = state.ChangesFrom(p.now - p.config.Overlap)
	}
	if before != nil && p.keepsGenerations && s.Swept && !s.Row.AppendOnly() {
		s.Changes = state.ChangesFrom(max(before.From(), p.now-deletionsBack))
		s.Changes.DeletionsUntil = p.now - p.config.Overlap
		s.Notice += fmt.Sprintf(" Rows that no longer exist are removed only if an event since %s reports their deletion.", s.Changes.From())
	}
}

// deletionsBack is how far back deletions are looked for when a stream is read from the beginning again. Its lists may take
// the rest of maxEventAge.
const deletionsBack = maxEventAge - clock.Day

// catchUp moves the sweep of a stream forward if only deletions are looked for in what Stripe no longer keeps. Without that,
// re-reading the lists would have been useless.
func (p *planner) catchUp(s *selected.Stream) {
	c := s.Changes
	if c.From() < p.now-maxEventAge && c.DeletionsUntil >= p.now-maxEventAge && c.Until() == c.From() {
		from := state.ChangesFrom(p.now - maxEventAge)
		from.Reread, from.DeletionsUntil = c.Reread, c.DeletionsUntil
		s.Changes = from
	}
}

// maxEventAge is the maximum age of the oldest event that a sweep needs. Stripe keeps events for 30 days, and a sweep takes a
// while (https://docs.stripe.com/api/events).
const maxEventAge = 29 * clock.Day

// changesOf returns where the sweep of a stream resumes. If the state has no changes, because it is from a full refresh or an
// older version, that is the end of its range.
func (p *planner) changesOf(given *state.State) *state.Changes {
	if given.Changes == nil {
		c := state.ChangesFrom(given.To - p.config.Overlap)
		c.Reread.MarkAll(p.now + selected.ReadMargin)
		return c
	}
	return given.Changes.Clone()
}

// trail returns the creation time from which the stream's list is re-read, or now if it is not.
func (p *planner) trail(s *selected.Stream, root *table.Stream) clock.Second {
	from, until := p.now, s.Given.To
	if s.Changes != nil {
		until = max(until, s.Changes.Until())
	}
	if root.NewUnannounced {
		from = s.Given.To - table.LateListing
	}
	if p.config.Lookback > 0 {
		from = min(from, until-p.config.Lookback)
	}
	if pending := s.Given.Pending; pending > 0 {
		from = min(from, pending)
	}
	return max(from, s.Given.From)
}

// resumes returns the id of the pass to resume: the stream's own, or that of another stream that resumed from the same point.
func (p *planner) resumes(id state.PassID) string {
	for _, other := range p.selected {
		if other.Given != nil && len(other.Given.Windows) > 0 && id.ResumedBy(other.Given.Pass) {
			return other.Given.Pass.ID
		}
	}
	return id.ID
}

// part returns the part that a group of streams reads.
func (p *planner) part(g group, streams []*selected.Stream) Part {
	part := Part{
		Root:    g.root,
		Streams: streams,
		ID:      state.PassID{ID: rand.Text()[:8], Streams: len(streams)},
		From:    p.earliest(g.root),
		To:      p.to,

		Relisting: g.relisting,
	}
	switch {
	case g.extends:
		part.From = g.from
		if g.from < g.covered {
			part.Windows = append(part.Windows, state.Window{From: g.from, To: g.covered})
		}
		if g.trail < p.now {
			part.Windows = append(part.Windows, state.Window{From: g.trail, To: p.now})
		}
		return part
	case g.pass == "":
		part.begins = true
		part.Windows = []state.Window{{From: part.From, To: part.To}}
		return part
	}
	return p.resume(part)
}

// resume returns part with what its streams have left to read. Their states may be from different times. All resume from the
// one that is furthest behind, which has the most left to read.
func (p *planner) resume(part Part) Part {
	behind := part.Streams[0].Given
	for _, s := range part.Streams[1:] {
		if s.Given.Pass.Before(behind.Pass) {
			behind = s.Given
		}
	}
	if behind.Pass.Streams == len(part.Streams) { // otherwise the streams not selected would no longer be in step
		part.ID.Since = &state.PassPoint{ID: behind.Pass.ID, Sequence: behind.Pass.Sequence}
	}
	part.Windows = append(part.Windows, behind.Windows...)
	part.To, part.Pending, part.Relisting = behind.To, behind.Pending, behind.Relisting
	if part.From < behind.From && !p.bounded { // the start date has been moved back since
		part.Windows = append(part.Windows, state.Window{From: part.From, To: behind.From})
		return part
	}
	part.From = behind.From
	return part
}

// earliest returns the earliest creation time to read from root's endpoint.
func (p *planner) earliest(root *table.Stream) clock.Second {
	from := p.from
	if root.RetentionDays > 0 {
		from = max(from, p.now-clock.Second(root.RetentionDays)*clock.Day)
	}
	return min(from, p.to)
}
