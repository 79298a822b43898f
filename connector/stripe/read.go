package stripe

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/emit"
	"github.com/stripe-connector/stripe-connector/connector/stripe/api"
	"github.com/stripe-connector/stripe-connector/connector/stripe/changes"
	"github.com/stripe-connector/stripe-connector/connector/stripe/config"
	"github.com/stripe-connector/stripe-connector/connector/stripe/family"
	"github.com/stripe-connector/stripe-connector/connector/stripe/heal"
	"github.com/stripe-connector/stripe-connector/connector/stripe/plan"
	"github.com/stripe-connector/stripe-connector/connector/stripe/reconcile"
	"github.com/stripe-connector/stripe-connector/connector/stripe/selected"
	"github.com/stripe-connector/stripe-connector/connector/stripe/table"
)

// Read sends the records of the configured streams to sink.
func (s *Source) Read(ctx context.Context, req connector.ReadRequest, sink connector.Sink) (connector.Summary, error) {
	c, streams, err := s.pin(ctx, req.Config)
	if err != nil {
		return connector.Summary{}, err
	}
	checked, err := plan.Check(streams, c, req, s.options.Now())
	if err != nil {
		return connector.Summary{}, err
	}
	r := s.newRead(c, streams, req, sink)
	return r.reader.Emitter.Run(ctx, func(workCtx context.Context) error {
		err := r.run(workCtx, checked)
		cut := errors.Is(err, context.Canceled) && r.reader.Emitter.Stopped() && ctx.Err() == nil
		if cut || errors.Is(err, emit.ErrStopped) {
			return reconcile.Skip(ctx, r.reader, r.inPhase(selected.Comparing))
		}
		return err
	})
}

// read is the state of one Read.
type read struct {
	source  *Source
	config  config.Config
	req     connector.ReadRequest
	streams []*selected.Stream // in the order of the request
	parts   []plan.Part        // to list in the current round
	reader  *family.Reader
	sweeper *changes.Sweeper
}

func (s *Source) newRead(c config.Config, streams table.Table, req connector.ReadRequest, sink connector.Sink) *read {
	client := s.client(c, s.options.Retry)
	reader := &family.Reader{
		Client: client,
		Emitter: emit.New(req, sink, emit.Options{
			Account: c.Account, Now: s.options.Now, Heartbeat: s.options.Heartbeat, Meter: meter{&client.Meter},
		}),
		Table: streams, PageSize: s.options.PageSize, Live: c.Mode() == "live", Now: client.Now,
	}
	return &read{
		source: s, config: c, req: req, reader: reader,
		sweeper: changes.New(reader, changes.Options{APIVersion: c.APIVersion, UpdateMode: c.UpdateMode, Advice: c.VersionAdvice, Overlap: c.Overlap, Settling: c.Settling}),
	}
}

// run plans the Read, then reads the lists and the events. An error ends the Read; failures of single streams do not.
func (r *read) run(ctx context.Context, checked []*selected.Stream) error {
	owner, failure, err := r.verifyOwner(ctx, checked)
	if err != nil {
		return err
	}
	if err := r.warnAboutSkew(ctx); err != nil {
		return err
	}
	planned, err := plan.Make(r.reader.Table, r.config, r.req, r.reader.Now())
	if err != nil {
		return err
	}
	r.streams, r.parts = planned.Streams, planned.Parts
	for _, s := range r.streams {
		s.Owner = owner
		if err := s.Register(r.reader.Emitter, r.reader.Now); err != nil {
			return err
		}
	}
	if failure != nil && !r.reader.Client.IsSynced() {
		return fail(ctx, r.streams, failure) // by the local clock, states could be from the future, and would be rejected later
	}
	if err := r.addClocks(ctx); err != nil {
		return err
	}
	for _, s := range r.inPhase(selected.Sweeping) { // no lists to read
		if err := s.Begin(ctx); err != nil {
			return err
		}
	}
	err = r.rounds(ctx)
	if err == nil || errors.Is(err, emit.ErrStopped) {
		err = cmp.Or(r.reportDrift(ctx), err)
	}
	return err
}

// fail ends streams with a failure. The next Read resumes from the same states.
func fail(ctx context.Context, streams []*selected.Stream, failure *connector.Failure) error {
	for _, s := range streams {
		if err := s.Out.Fail(ctx, failure); err != nil {
			return err
		}
	}
	return nil
}

// reportDrift logs, for each stream, how its records differ from its schema, unless that was already logged.
func (r *read) reportDrift(ctx context.Context) error {
	for _, s := range r.streams {
		if message := s.Drift.Report(s.Row.Name, r.config.APIVersion); message != "" {
			if err := r.reader.Emitter.Log(ctx, connector.Info, message); err != nil {
				return err
			}
		}
	}
	return nil
}

// clocksStream is the stream of test clocks.
const clocksStream = "test_helpers_test_clocks"

// addClocks adds the objects of test clocks to the parts that are read from the beginning. In test mode, some lists omit
// these objects unless a test clock is named. The test clocks are requested only if such a list is read.
func (r *read) addClocks(ctx context.Context) error {
	hidesClocks := func(p plan.Part) bool { return p.HidesClocks() }
	if r.reader.Live || !slices.ContainsFunc(r.parts, hidesClocks) {
		return nil
	}
	ids, err := r.reader.IDs(ctx, clocksStream)
	if emit.EndsRead(err) {
		return err
	}
	if err != nil {
		return r.continueWithoutClocks(ctx, connector.AsFailure(err))
	}
	for i := range r.parts {
		if r.parts[i].HidesClocks() {
			r.parts[i].AddClocks(ids)
		}
	}
	return nil
}

// continueWithoutClocks handles test clocks that can't be listed. If the key may not list them, their objects are skipped. If Stripe
// fails, the streams that have such objects fail too: the next Read retries.
func (r *read) continueWithoutClocks(ctx context.Context, failure *connector.Failure) error {
	const message = "The test clocks can't be listed, so their objects are not read until they change: once they can be listed, read the streams " +
		"that have such objects from the beginning. "
	if failure.Class == connector.PermissionError || failure.Class == connector.ConfigError {
		return r.reader.Emitter.Log(ctx, connector.Warning, message+failure.Message)
	}
	failed := *failure
	failed.Message = "Stripe can't list the test clocks, whose objects it lists separately. " + failure.Message
	var left []plan.Part
	for _, p := range r.parts {
		if !p.HidesClocks() {
			left = append(left, p)
			continue
		}
		if err := fail(ctx, p.Streams, &failed); err != nil {
			return err
		}
	}
	r.parts = left
	return nil
}

// skewWarning is the smallest clock skew that is worth a warning.
const skewWarning = time.Minute

// warnAboutSkew logs a warning if the local clock is wrong. Windows, event sweeps and states follow Stripe's clock,
// which is known from the Date header of Stripe's first answer.
func (r *read) warnAboutSkew(ctx context.Context) error {
	skew := r.reader.Client.Skew()
	if skew.Abs() < skewWarning {
		return nil
	}
	ahead := "ahead of"
	if skew < 0 {
		ahead = "behind"
	}
	message := fmt.Sprintf("The local clock is %s %s Stripe's. The connector uses Stripe's time, but logs and schedules depend on the local clock: correct it.",
		skew.Abs().Round(time.Second), ahead)
	return r.reader.Emitter.Log(ctx, connector.Warning, message)
}

// meter adapts the client's Meter to emit.Meter.
type meter struct{ *api.Meter }

// Trouble describes why requests are being retried or are not answered. Waiting for the rate limit doesn't count.
func (m meter) Trouble() string {
	waiting, ok := m.Waiting()
	if !ok || waiting.Failure == nil && waiting.Cause != api.WaitForResponse {
		return ""
	}
	return waiting.String()
}

// heal retries the set-aside objects that are due.
func (r *read) heal(ctx context.Context) error {
	tried, err := heal.Run(ctx, r.reader, r.inPhase(selected.Listing, selected.Sweeping, selected.Current), r.config.Overlap)
	if err != nil {
		return err
	}
	for _, s := range tried {
		if s.Phase() == selected.Current {
			if err := s.Out.Complete(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}
