package stripe_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/stripe"
	"github.com/stripe-connector/stripe-connector/connector/stripe/api"
	"github.com/stripe-connector/stripe-connector/connector/stripe/rawjson"
	"github.com/stripe-connector/stripe-connector/connector/stripe/schema"
	"github.com/stripe-connector/stripe-connector/connector/stripe/stripetest"
	streamtable "github.com/stripe-connector/stripe-connector/connector/stripe/table"
)

// TestHistories changes Stripe at random before, during and after incremental Reads that are disturbed at random. The
// records sent, applied in order, must match Stripe's objects. Run thousands of histories with -rapid.checks=5000; for a
// failing history, rapid prints the seed and a minimal example.
func TestHistories(t *testing.T) {
	checks(t, "60")
	streams := offered(t)
	for name := range streams {
		if name != "events" && !slices.ContainsFunc(related, func(group []string) bool { return slices.Contains(group, name) }) {
			t.Errorf("no history contains %s", name)
		}
	}
	everything := histories(streams)
	rapid.Check(t, func(r *rapid.T) {
		everything.Draw(r, "history").play(r, streams)
	})
}

// TestBrokenHistories plays histories in which some objects can't be read for a while: pages that contain them, requests
// for them and requests for their children fail. Once they are readable and have been retried, the rows must be
// correct.
func TestBrokenHistories(t *testing.T) {
	checks(t, "30")
	streams := offered(t)
	everything := histories(streams)
	rapid.Check(t, func(r *rapid.T) {
		h := everything.Draw(r, "history")
		h.steps = slices.DeleteFunc(h.steps, func(s step) bool { return s.verb == check })
		for range rapid.IntRange(1, 4).Draw(r, "ruins") {
			at := rapid.IntRange(0, len(h.steps)).Draw(r, "at")
			s := step{verb: ruin, stream: rapid.SampledFrom(h.pool).Draw(r, "stream"), n: rapid.IntRange(0, 20).Draw(r, "n")}
			if rapid.IntRange(0, 4).Draw(r, "repairs") == 4 {
				s = step{verb: repair}
			}
			h.steps = slices.Insert(h.steps, at, s)
		}
		read := step{verb: sync_, disturbed: quiet}
		longWait := step{verb: wait, wait: 25 * time.Hour}
		h.steps = append(h.steps, read, step{verb: repair}, longWait, read, longWait, read)
		h.play(r, streams)
	})
}

// TestForbiddenHistories plays histories in which the key loses and regains permissions, between and during Reads. Once it
// has all permissions again, the rows must be correct.
func TestForbiddenHistories(t *testing.T) {
	checks(t, "30")
	streams := offered(t)
	everything := histories(streams)
	rapid.Check(t, func(r *rapid.T) {
		h := everything.Draw(r, "history")
		h.steps = slices.DeleteFunc(h.steps, func(s step) bool { return s.verb == check })
		for range rapid.IntRange(1, 5).Draw(r, "permissions") {
			// Without permission for test clocks, a warning says that their objects are not read.
			pool := slices.DeleteFunc(append(slices.Clone(h.pool), "events"), func(name string) bool { return name == "test_helpers_test_clocks" })
			s := step{verb: forbid, stream: rapid.SampledFrom(pool).Draw(r, "stream")}
			if rapid.IntRange(0, 3).Draw(r, "permits") == 3 {
				s = step{verb: permit}
			}
			at := rapid.IntRange(0, len(h.steps)).Draw(r, "at")
			if at < len(h.steps) && h.steps[at].verb == sync_ && rapid.Bool().Draw(r, "during") {
				h.steps[at].during = append(h.steps[at].during, during{request: rapid.IntRange(1, 12).Draw(r, "request"), step: s})
				continue
			}
			h.steps = slices.Insert(h.steps, at, s)
		}
		h.steps = append(h.steps, step{verb: sync_, disturbed: quiet}, step{verb: permit}, step{verb: sync_, disturbed: quiet})
		h.play(r, streams)
	})
}

// TestVersionHistories plays histories in which the pipeline's API version and the account's change. After each change, the rows
// must be those of the version in force.
func TestVersionHistories(t *testing.T) {
	checks(t, "30")
	streams := offered(t)
	everything := histories(streams)
	isElsewhere := func(name string) bool { return name != "" && len(streamtable.Editions(name)) < len(schema.Editions()) }
	rapid.Check(t, func(r *rapid.T) {
		h := everything.Draw(r, "history")
		h.columns = false // the columns on request differ
		h.pool, h.selected = slices.DeleteFunc(h.pool, isElsewhere), slices.DeleteFunc(h.selected, isElsewhere)
		h.steps = slices.DeleteFunc(h.steps, func(s step) bool { return isElsewhere(s.stream) })
		if len(h.selected) == 0 {
			return
		}
		h.version = rapid.SampledFrom([]string{oldest, stripetest.APIVersion, dahlia, "account"}).Draw(r, "version")
		h.accountVersion = rapid.SampledFrom([]string{oldest, stripetest.APIVersion, dahlia}).Draw(r, "account's version")
		for range rapid.IntRange(1, 3).Draw(r, "versions") {
			s := step{verb: adopt, stream: rapid.SampledFrom([]string{oldest, stripetest.APIVersion, dahlia, "2026-07-29.dahlia", "account"}).Draw(r, "version")}
			if rapid.IntRange(0, 2).Draw(r, "upgrades") == 2 {
				s = step{verb: upgrade, stream: rapid.SampledFrom([]string{oldest, stripetest.APIVersion, dahlia, "2026-07-29.dahlia"}).Draw(r, "version")}
			}
			h.steps = slices.Insert(h.steps, rapid.IntRange(0, len(h.steps)).Draw(r, "at"), s)
		}
		h.play(r, streams)
	})
}

// version returns the API version in force.
func (p *play) version() string {
	if p.history.version == "account" {
		return p.accountVersion
	}
	return p.history.version
}

// adopt sets the API version of the pipeline.
func (p *play) adopt(version string) {
	p.history.version = version
	p.config = with(p.config, "api_version", version)
}

// upgrade sets the account's default API version.
func (p *play) upgrade(version string) {
	p.accountVersion = version
	p.stripe.SetAccountVersion(version)
}

// forbid removes the key's permission to read a stream.
func (p *play) forbid(stream string) {
	_, list := path(p.streams[stream])
	p.lock.Lock()
	defer p.lock.Unlock()
	for _, pattern := range []string{list, list + "/{id}"} {
		p.refusals = append(p.refusals, p.stripe.Inject(stripetest.Fault{Kind: stripetest.PermissionMissing, Path: pattern}))
	}
}

// permit restores all permissions.
func (p *play) permit() {
	p.lock.Lock()
	defer p.lock.Unlock()
	for _, undo := range p.refusals {
		undo()
	}
	p.refusals = nil
}

// forbids reports whether the key loses a permission.
func forbids(d during) bool { return d.step.verb == forbid }

// isForbidden reports whether the key lacks a permission.
func (p *play) isForbidden() bool {
	p.lock.Lock()
	defer p.lock.Unlock()
	return len(p.refusals) > 0
}

// mangle changes an object. The only event about the change has an embedded list that isn't a list.
func (p *play) mangle(s step) error {
	p.changing.Lock()
	defer p.changing.Unlock()
	ids := p.ids(p.streams[s.stream])
	if len(ids) == 0 {
		return nil
	}
	id := ids[s.n%len(ids)]
	if err := p.account.Silent().Update(id); err != nil {
		return err
	}
	list := "data.object." + embedded[s.stream]
	edits := []stripetest.Edit{{Property: list, JSON: "{}"}, {Property: list, JSON: "null"}, {Property: list}, {Property: list + ".has_more"}, {Property: list + ".data", JSON: `"x"`}}
	_, err := p.account.Emit(updated[s.stream], id, edits[s.n%len(edits)])
	return err
}

// noise adds an event with an empty or unknown payload.
func (p *play) noise(s step) error {
	p.changing.Lock()
	defer p.changing.Unlock()
	object, _ := path(p.streams[s.stream])
	ids := p.ids(p.streams[s.stream])
	if len(ids) == 0 {
		return nil
	}
	edits := []stripetest.Edit{
		{Property: "data.object", JSON: "{}"}, {Property: "data.object", JSON: "null"}, {Property: "data"}, {Property: "data.object.id"},
		{Property: "data.object.object", JSON: `"crypto_wallet"`},
	}
	kind := object + [...]string{".updated", ".deleted", ".levitated"}[s.n%3]
	_, err := p.account.Emit(kind, ids[s.n%len(ids)], edits[s.n%len(edits)])
	return err
}

// ruin makes an object unreadable.
func (p *play) ruin(s step) {
	p.changing.Lock()
	defer p.changing.Unlock()
	ids := p.ids(p.streams[s.stream])
	if len(ids) == 0 || s.stream == "events" {
		return
	}
	kinds := []stripetest.FaultKind{stripetest.ServerError, stripetest.Truncated, stripetest.ObjectRefused}
	p.repairs = append(p.repairs, p.stripe.Break(ids[s.n%len(ids)], kinds[s.n%len(kinds)]))
}

// offered returns the catalog by stream name.
func offered(t *testing.T) map[string]connector.Stream {
	t.Helper()
	return offeredIn(t, stripetest.APIVersion)
}

// offeredIn returns the catalog of an API version by stream name.
func offeredIn(t *testing.T, version string) map[string]connector.Stream {
	t.Helper()
	catalog, err := stripe.New(stripe.Options{Transport: http.DefaultTransport}).
		Discover(t.Context(), connector.DiscoverRequest{Config: with(connector.NewConfig(`{"api_key":"sk_test_123"}`), "api_version", version)})
	if err != nil {
		t.Fatal(err)
	}
	streams := map[string]connector.Stream{}
	for _, stream := range catalog.Streams {
		streams[stream.Name] = stream
	}
	return streams
}

// TestSpecialHistories plays histories that failed once, or that chance rarely produces.
func TestSpecialHistories(t *testing.T) {
	streams := offered(t)
	plain := func(verb verb, stream string) step { return step{verb: verb, stream: stream} }
	pause := func(d time.Duration) step { return step{verb: wait, wait: d} }
	read := step{verb: sync_, disturbed: quiet}
	wrongContent := step{verb: sync_, disturbed: quiet}
	wrongContent.disturbed.fault = stripetest.Fault{Kind: stripetest.WrongContent, Skip: 1, Times: 3}
	tests := map[string]history{
		"created and deleted in one second": {selected: []string{"coupons", "customers", "customer_tax_ids"}, steps: []step{
			read, pause(time.Hour), plain(create, "coupons"), {verb: remove, stream: "coupons", n: 3}, plain(create, "customers"),
			{verb: remove, stream: "customers", n: 3}, plain(create, "customer_tax_ids"),
		}},
		"an undocumented event": {selected: []string{"invoice_items"}, steps: []step{
			read, pause(time.Hour), plain(update, "invoice_items"),
		}},
		"another object than the one re-read": {selected: []string{"charges"}, updateMode: "reread", steps: []step{
			read, pause(time.Hour), plain(update, "charges"), pause(time.Minute), wrongContent,
		}},
		"more children than an object embeds": {selected: []string{"invoices", "invoice_line_items"}, steps: append(
			[]step{read, pause(time.Hour)}, slices.Repeat([]step{plain(create, "invoice_line_items"), pause(time.Second)}, 15)...)},
		"a payload without a list whose objects are not selected": {selected: []string{"invoices"}, steps: []step{
			read, pause(time.Hour), {verb: mangle, stream: "invoices"}, read, {verb: mangle, stream: "invoices", n: 1}, read,
			{verb: mangle, stream: "invoices", n: 2}, read, {verb: mangle, stream: "invoices", n: 3}, read, {verb: mangle, stream: "invoices", n: 4},
		}},
		"away after an interrupted backfill": {selected: []string{"charges", "coupons"}, pageSize: 1, steps: []step{
			{verb: sync_, disturbed: disturbance{kill: 4, retries: quiet.retries}}, plain(update, "charges"), {verb: remove, stream: "coupons", n: 1},
			pause(40 * 24 * time.Hour),
		}},
		"an older version, without metadata": {selected: []string{"checkout_session_line_items"}, version: dahlia, steps: []step{
			plain(create, "checkout_session_line_items"), pause(time.Second), read, plain(adopt, stripetest.APIVersion), read,
		}},
		"a pending object that was set aside": {seed: 9, selected: []string{"balance_transactions"}, steps: []step{
			plain(ruin, "balance_transactions"), read, plain(repair, ""), pause(25 * time.Hour), read, pause(25 * time.Hour), read,
		}},
		"test clocks deleted before their customers are listed": {selected: []string{"customers", "test_helpers_test_clocks"}, pageSize: 1, steps: append(
			[]step{{verb: sync_, disturbed: disturbance{kill: 4, retries: quiet.retries}}}, append(slices.Repeat([]step{plain(remove, "test_helpers_test_clocks")}, 3), read)...)},
		"objects that columns show late": {
			selected: []string{"customers"}, pool: []string{"customers", "cards", "customer_tax_ids"}, columns: true, objectDelay: 20 * time.Second, steps: []step{
				read, pause(time.Hour), plain(update, "customers"), plain(create, "cards"), {verb: create, stream: "cards", n: 1}, plain(create, "customer_tax_ids"),
				{verb: create, stream: "customer_tax_ids", n: 1}, pause(3 * time.Second), read, read,
			},
		},
		"refunds that charges show late": {selected: []string{"charges"}, pool: []string{"charges", "refunds"}, columns: true, objectDelay: 250 * time.Second, steps: []step{
			read, pause(time.Hour), plain(create, "refunds"), {verb: create, stream: "refunds", n: 1}, pause(3 * time.Second), read, read,
		}},
		"a wrong clock and a slow list": {selected: []string{"terminal_configurations"}, skew: 90 * time.Second, steps: []step{
			read, {verb: sync_, disturbed: quiet, during: []during{{request: 2, step: pause(2 * time.Second)}}},
		}},
	}
	for name, h := range tests {
		t.Run(name, func(t *testing.T) {
			h.seed = cmp.Or(h.seed, 1)
			if h.pool == nil {
				h.pool = h.selected
			}
			h.updateMode, h.pageSize = cmp.Or(h.updateMode, "auto"), cmp.Or(h.pageSize, 100)
			h.play(t, streams)
		})
	}
}

// TestEachChangeOfEachStream checks that one Read picks up each possible change of each stream.
func TestEachChangeOfEachStream(t *testing.T) {
	if testing.Short() {
		t.Skip("takes minutes with the race detector")
	}
	eachChange(t, stripetest.APIVersion, offered(t))
	added := offeredIn(t, dahlia)
	known := offered(t)
	for name := range added {
		if _, old := known[name]; old && name != "subscription_discounts" && name != "billing_meters" && name != "issuing_personalization_designs" {
			continue
		}
		eachChange(t, dahlia, added, name)
	}
}

// TestColumnsOfChangingObjects checks that one Read picks up each possible change of objects that are shown in a column on request.
func TestColumnsOfChangingObjects(t *testing.T) {
	edition, _ := schema.Of(stripetest.APIVersion)
	streams, all := offered(t), streamtable.Streams(edition)
	for name, columns := range onRequest {
		expansions := make([]streamtable.Expansion, len(columns))
		for i, column := range columns {
			expansions[i] = streamtable.Expansion{Steps: []streamtable.Step{{Path: column, Includes: true}}}
		}
		for _, held := range all.Held(all.Find(name), expansions) {
			h := history{seed: 1, pool: []string{name, held.Name}, selected: []string{name}, updateMode: "auto", pageSize: 100, columns: true}
			h.steps = checkedChanges(held.Name)
			t.Run(held.Name+" in "+name, func(t *testing.T) { h.play(t, streams) })
		}
	}
}

// checkedChanges returns each possible change of a stream's objects, with a check before the first and after each.
func checkedChanges(stream string) []step {
	steps := []step{{verb: check}}
	for _, verb := range possible(stream) {
		steps = append(steps, step{verb: verb, stream: stream, n: 1}, step{verb: check})
	}
	return steps
}

// eachChange plays each possible change of the named streams, or of all.
func eachChange(t *testing.T, version string, streams map[string]connector.Stream, names ...string) {
	t.Helper()
	for name, stream := range streams {
		if len(names) > 0 && !slices.Contains(names, name) {
			continue
		}
		h := history{seed: 1, pool: []string{name}, selected: []string{name}, updateMode: "auto", pageSize: 100, version: version, accountVersion: version}
		for ; stream.Parent != ""; stream = streams[stream.Parent] {
			h.pool = append(h.pool, stream.Parent)
		}
		if name == "billing_meter_event_summaries" {
			h.pool = append(h.pool, "billing_meters")
		}
		h.steps = checkedChanges(name)
		t.Run(version+" "+name, func(t *testing.T) { h.play(t, streams) })
	}
}

// tester is a *testing.T or a *rapid.T.
type tester interface {
	Context() context.Context
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// play plays a history and checks the result.
func (h history) play(t tester, streams map[string]connector.Stream) {
	p := newPlay(t, h, streams)
	defer p.stripe.Close()
	for _, s := range h.steps {
		p.step(s)
	}
	p.check()
	for _, violation := range p.stripe.Violations() {
		t.Errorf("the simulated Stripe says: %s", violation)
	}
}

// play is a history being played.
type play struct {
	history
	tester
	streams map[string]connector.Stream
	stripe  *stripetest.Stripe
	account *stripetest.Account // the account that is read
	config  connector.Config
	copies  []*replicas // one strict and one not

	changing sync.Mutex // held while Stripe is being changed
	lock     sync.Mutex // guards the fields below, which change during a Read
	time     time.Time
	requests int
	stop     func() // called after follow requests of a Read with Follow
	follow   int
	during   []during
	happened map[string]string // all events that Stripe has ever had
	repairs  []func()          // each undoes one ruin
	refusals []func()          // each restores one permission
	skew     time.Duration     // how far the local clock is ahead
	reading  bool              // a Read is in progress
}

const simulated = "http://stripe.test"

func newPlay(t tester, h history, streams map[string]connector.Stream) *play {
	p := &play{history: h, tester: t, streams: streams, time: now, happened: map[string]string{}, skew: h.skew}
	p.stripe = stripetest.New(stripetest.Options{
		Seed: h.seed, Objects: h.objects(streams), Accounts: h.accounts(), Compact: true, TestClocks: h.testClocks(),
		Start: now.AddDate(0, 0, -40), End: now, Now: p.now,
		AccountVersion: h.accountVersion,
		EventDelay:     h.eventDelay, ObjectDelay: h.objectDelay, ShuffleTies: h.shuffle, OldEvents: h.oldEvents,
		Observe: func(stripetest.Request) { p.observe() },
	})
	config := fmt.Sprintf(`{"api_key":"sk_test_123","api_base":%q,"max_requests_per_second":10000,"start_date":"2020-01-01","update_mode":%q}`,
		simulated, h.updateMode)
	p.account = p.stripe.Account
	if h.connected {
		id := p.stripe.ConnectedAccounts()[0]
		p.account = p.stripe.Connected(id)
		config = rawjson.WithMember(config, "account", rawjson.Quote(id))
	}
	p.config = connector.NewConfig(config)
	p.adopt(cmp.Or(h.version, stripetest.APIVersion))
	p.copies = []*replicas{newReplicas(streams, true), newReplicas(streams, false)}
	if h.columns {
		for _, r := range p.copies {
			r.columns = onRequest
		}
	}
	p.choose(h.selected...)
	p.remember()
	return p
}

func (p *play) now() time.Time {
	p.lock.Lock()
	defer p.lock.Unlock()
	return p.time
}

// turn sets the local clock ahead by skew, which takes a moment. It does nothing during a Read, which measures time from its
// start with a monotonic clock that isn't affected by setting the wall clock.
func (p *play) turn(skew time.Duration) {
	p.lock.Lock()
	defer p.lock.Unlock()
	if p.reading {
		return
	}
	p.time = p.time.Add(2 * time.Second) // more than the inaccuracy of a Read's estimate of Stripe's time
	p.skew = skew
}

// ours returns the time of the local clock.
func (p *play) ours() time.Time {
	p.lock.Lock()
	defer p.lock.Unlock()
	return p.time.Add(p.skew)
}

func (p *play) choose(names ...string) {
	for _, r := range p.copies {
		for _, name := range names {
			r.add(name)
		}
	}
}

// observe counts a request and plays the steps that are due after it.
func (p *play) observe() {
	p.lock.Lock()
	p.requests++
	if p.follow > 0 {
		p.time = p.time.Add(2 * time.Second)
		if p.requests == p.follow {
			p.stop()
		}
	}
	var due []step
	for _, d := range p.during {
		if d.request == p.requests {
			due = append(due, d.step)
		}
	}
	p.lock.Unlock()
	for _, s := range due {
		p.step(s)
	}
}

func (p *play) step(s step) {
	switch s.verb {
	case wait:
		p.remember()
		p.lock.Lock()
		p.time = p.time.Add(s.wait)
		p.lock.Unlock()
		p.remember()
	case choose:
		p.choose(s.stream)
	case sync_:
		for _, r := range p.copies {
			p.read(r, s.disturbed, s.during)
		}
	case check:
		p.check()
	case ruin:
		p.ruin(s)
	case repair:
		for _, undo := range p.repairs {
			undo()
		}
		p.repairs = nil
	case forbid:
		p.forbid(s.stream)
	case permit:
		p.permit()
	case turn:
		p.turn(s.wait)
	case adopt:
		p.adopt(s.stream)
	case upgrade:
		p.upgrade(s.stream)
	case mangle, noise:
		do := map[verb]func(step) error{mangle: p.mangle, noise: p.noise}[s.verb]
		if err := do(s); err != nil {
			p.Errorf("%v: %v", s, err)
		}
	default:
		if err := p.change(s); err != nil {
			p.Errorf("%v: %v", s, err)
		}
	}
}

// remember records Stripe's events before they are dropped.
func (p *play) remember() {
	for id, raw := range p.account.Truth("/v1/events") {
		p.lock.Lock()
		p.happened[id] = string(raw)
		p.lock.Unlock()
	}
}

// change changes something at Stripe. It does nothing if there is no object to change.
func (p *play) change(s step) error {
	p.changing.Lock()
	defer p.changing.Unlock()
	stream := p.streams[s.stream]
	_, path := path(stream)
	if s.verb == create {
		return p.create(stream, path, s.n)
	}
	ids := p.ids(stream)
	if len(ids) == 0 {
		return nil
	}
	id := ids[s.n%len(ids)]
	if s.verb == remove {
		return p.account.Delete(id)
	}
	return p.account.Update(id)
}

// ids returns the ids of a stream's objects that can change.
func (p *play) ids(stream connector.Stream) []string {
	object, path := path(stream)
	var ids []string
	for id, raw := range p.listed(path, object) {
		status, _ := rawjson.Lookup(raw, "status")
		if stream.Name != "balance_transactions" || status == `"pending"` {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

func (p *play) create(stream connector.Stream, path string, n int) error {
	fields := stripetest.Fields{}
	if stream.Parent != "" {
		parents := p.ids(p.streams[stream.Parent])
		if len(parents) == 0 {
			return nil
		}
		parent := parents[n%len(parents)]
		if parameter.MatchString(path) {
			if stream.Name == "bank_accounts" {
				path = "/v1/customers/{customer}/bank_accounts"
			}
			path = parameter.ReplaceAllLiteralString(path, url.PathEscape(parent))
		} else {
			fields[stream.ParentField] = parent
		}
	}
	_, err := p.account.Create(path, fields)
	if err != nil && strings.Contains(err.Error(), "the most that it can have") {
		return nil
	}
	return err
}

// read performs one Read with a disturbance.
func (p *play) read(r *replicas, d disturbance, during []during) {
	ctx, cancel := context.WithCancel(p.Context())
	defer cancel()
	p.lock.Lock()
	p.requests, p.during, p.follow, p.stop, p.reading = 0, during, d.follow, cancel, true
	p.time = p.time.Add(time.Millisecond) // no two Reads start at the same time
	p.lock.Unlock()
	if d.follow > 0 {
		defer time.AfterFunc(100*time.Millisecond, cancel).Stop() // without streams to sweep there are no requests
	}
	if d.fault.Times > 0 {
		defer p.stripe.Inject(d.fault)()
	}
	drain := make(chan struct{})
	sink := recorder{send: func(n int, m connector.Message) error {
		p.expectPast(r, m)
		switch {
		case d.kill < 0 || n != d.kill:
		case d.drain:
			close(drain)
		case d.cancel:
			cancel()
		default:
			return errKilled
		}
		return nil
	}}
	req := connector.ReadRequest{Config: p.config, RecordLimit: d.limit, Drain: drain, CheckpointPages: 1, Follow: d.follow > 0, FollowInterval: time.Millisecond}
	req.Streams, req.States = r.request()
	restricted := p.isForbidden() || slices.ContainsFunc(during, forbids)
	retries := d.retries
	if len(p.repairs) > 0 { // what is broken stays broken during the Read
		retries.Budget = min(retries.Budget, 200*time.Millisecond)
	}
	source := stripe.New(stripe.Options{
		AllowedAPIBases: []string{simulated}, Transport: inMemory{p.stripe}, Now: p.ours, PageSize: p.pageSize, Retry: retries,
	})
	summary, err := source.Read(ctx, req, &sink)
	failure, failed := connector.FailureIn(err)
	switch refused := failed && failure.Class == connector.PermissionError; {
	case err == nil || errors.Is(err, errKilled) || errors.Is(err, context.Canceled):
	case refused && restricted: // everything is forbidden
	default:
		p.Fatalf("Read: %v", err)
	}
	p.lock.Lock()
	p.during, p.follow, p.reading = nil, 0, false
	p.lock.Unlock()
	r.store(sink.messages[:max(0, len(sink.messages)-d.lost)])
	if d == quiet && len(p.repairs) == 0 && !restricted {
		for _, s := range summary.Streams {
			if s.Status != connector.Complete || summary.HasMore {
				p.Errorf("after an undisturbed Read, %s is %v, HasMore %v: %v", s.Stream, s.Status, summary.HasMore, s.Failure)
			}
		}
	}
}

// expectPast checks that no record claims to be more recent than Stripe's clock.
func (p *play) expectPast(r *replicas, m connector.Message) {
	batch, ok := m.(*connector.RecordBatch)
	if !ok {
		return
	}
	for _, record := range batch.Records {
		if now := p.now(); record.AsOf.After(now) {
			r.complain("%s %s: record as of %v, but Stripe's time is %v", batch.Stream, record.Key, record.AsOf, now)
		}
	}
}

// quiet is the absence of a disturbance.
var quiet = disturbance{kill: -1, retries: api.Retry{Initial: time.Millisecond, Max: 2 * time.Millisecond, Budget: 10 * time.Second, Attempt: 5 * time.Second}}

// settled is when the overlap of 300 seconds is certain to have been swept again: 1.1 times that, plus a second.
const settled = 331 * time.Second

// check waits until everything has become visible and has been swept, reads, and compares the rows with Stripe's objects.
func (p *play) check() {
	p.step(step{verb: wait, wait: max(p.eventDelay+p.objectDelay, settled) + 10*time.Second})
	for _, r := range p.copies {
		before := maps.Clone(r.tables)
		p.read(r, quiet, nil)
		if r.relisted(before) { // interrupted twice: only the next Read is certain to find changes without events
			p.read(r, quiet, nil)
		}
		for range 2 { // what couldn't be read for a while is set aside and retried
			if !r.lacks() {
				break
			}
			p.step(step{verb: wait, wait: 25 * time.Hour})
			p.read(r, quiet, nil)
		}
		for _, name := range slices.Sorted(maps.Keys(r.tables)) {
			if name == "events" {
				p.compareEvents(r, before[name])
				continue
			}
			p.compare(r, name)
		}
		if len(r.wrong) > 0 {
			p.Fatalf("strict %v:\n%s", r.strict, strings.Join(r.wrong[:min(len(r.wrong), 8)], "\n"))
		}
	}
}

// compareEvents checks that the events stream contains all of Stripe's events, and none that never happened.
func (p *play) compareEvents(r *replicas, before *copyOf) {
	for id := range p.account.Truth("/v1/events") {
		if _, ok := r.tables["events"].rows[id]; !ok {
			r.complain("events %s is missing", id)
		}
	}
	for id := range before.rows {
		if _, ok := r.tables["events"].rows[id]; !ok {
			r.complain("events %s was lost", id)
		}
	}
	for id := range r.tables["events"].rows {
		if p.happened[id] == "" {
			r.complain("events %s never happened", id)
		}
	}
}

// compare checks that a stream's rows match Stripe's objects.
func (p *play) compare(r *replicas, name string) {
	want, got := p.truth(r, p.streams[name]), r.tables[name].rows
	for key, data := range want {
		row, ok := got[key]
		switch {
		case !ok:
			r.complain("%s %s is missing", name, key)
		case row.data == data:
		default:
			if diff := gocmp.Diff(decoded(p, data), decoded(p, row.data)); diff != "" {
				r.complain("%s %s is not the truth: %.1000s", name, key, diff)
			}
		}
	}
	for key := range got {
		if _, ok := want[key]; !ok {
			r.complain("%s %s was deleted, but its row still exists", name, key)
		}
	}
}

// decoded returns an object without its null members, since lists may omit those.
func decoded(p *play, data string) map[string]any {
	var object map[string]any
	if err := json.Unmarshal([]byte(data), &object); err != nil {
		p.Fatalf("%v in %s", err, data)
	}
	maps.DeleteFunc(object, func(_ string, value any) bool { return value == nil })
	return object
}

// truth returns the rows that a stream should have, with the ids of parents.
func (p *play) truth(r *replicas, stream connector.Stream) map[string]string {
	object, pattern := path(stream)
	expand := append(included(stream.Name), r.columns[stream.Name]...)
	rows := map[string]string{}
	if stream.Parent != "" && parameter.MatchString(pattern) && !strings.Contains(pattern, "{across}") {
		_, parents := path(p.streams[stream.Parent])
		for parent := range p.account.Truth(parents) {
			for _, data := range p.listed(parameter.ReplaceAllLiteralString(pattern, url.PathEscape(parent)), object, expand...) {
				if stream.ParentField != "" {
					data = rawjson.WithMember(data, stream.ParentField, rawjson.Quote(parent))
				}
				rows[r.key(stream.Name, data)] = data
			}
		}
		return rows
	}
	for id, data := range p.listed(pattern, object, expand...) {
		if _, shown := rawjson.Lookup(data, stream.ParentField); stream.ParentField != "" && !shown {
			parent := p.account.Relation(id, stream.ParentField)
			if parent == "" {
				continue // the parent was deleted
			}
			data = rawjson.WithMember(data, stream.ParentField, rawjson.Quote(parent))
		}
		if !lists(p.account, stream, id) {
			continue
		}
		for _, data := range p.held(stream, data) {
			rows[r.key(stream.Name, data)] = data
		}
	}
	return rows
}

// held returns the rows that a stream has for an object.
func (p *play) held(stream connector.Stream, data string) []string {
	if stream.Name != "balance" {
		return []string{data}
	}
	var rows []string
	for _, row := range held(stream, decoded(p, data)) {
		text, err := json.Marshal(row)
		if err != nil {
			p.Fatalf("%v", err)
		}
		rows = append(rows, string(text))
	}
	return rows
}

// listed returns what a list holds of one type of object, by id.
func (p *play) listed(path, object string, expand ...string) map[string]string {
	found := map[string]string{}
	for id, raw := range p.account.TruthIn(p.version(), path, expand...) {
		if kind, _ := rawjson.Lookup(string(raw), "object"); kind == rawjson.Quote(object) {
			found[id] = string(raw)
		}
	}
	return found
}

// inMemory passes requests directly to a handler, so that histories are cheap.
type inMemory struct{ handler http.Handler }

// RoundTrip responds as a server would, including with broken connections.
func (m inMemory) RoundTrip(request *http.Request) (*http.Response, error) {
	if err := request.Context().Err(); err != nil {
		return nil, err
	}
	recorder := httptest.NewRecorder()
	dropped := m.serve(recorder, request)
	response := recorder.Result()
	response.Request = request
	if dropped {
		response.Body = io.NopCloser(io.MultiReader(bytes.NewReader(recorder.Body.Bytes()), broken{}))
	}
	return response, nil
}

func (m inMemory) serve(w http.ResponseWriter, request *http.Request) (dropped bool) {
	defer func() {
		if reason := recover(); reason != nil {
			if err, ok := reason.(error); !ok || !errors.Is(err, http.ErrAbortHandler) {
				panic(reason)
			}
			dropped = true
		}
	}()
	m.handler.ServeHTTP(w, request)
	return false
}

// broken is the end of a broken connection.
type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
