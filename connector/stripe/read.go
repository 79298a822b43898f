package stripe

import (
	"context"
	"errors"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/emit"
	"github.com/stripe-connector/stripe-connector/connector/stripe/changes"
	"github.com/stripe-connector/stripe-connector/connector/stripe/config"
	"github.com/stripe-connector/stripe-connector/connector/stripe/family"
	"github.com/stripe-connector/stripe-connector/connector/stripe/plan"
	"github.com/stripe-connector/stripe-connector/connector/stripe/reconcile"
	"github.com/stripe-connector/stripe-connector/connector/stripe/selected"
)

// Read sends the records of the configured streams.
func (s *Source) Read(ctx context.Context, req connector.ReadRequest, sink connector.Sink) (connector.Summary, error) {
	c, err := s.parse(req.Config)
	if err != nil {
		return connector.Summary{}, err
	}
	planned, err := plan.Make(s.streams, c, req, s.options.Now())
	if err != nil {
		return connector.Summary{}, err
	}
	r, err := s.newRead(c, req, planned, sink)
	if err != nil {
		return connector.Summary{}, err
	}
	return r.reader.Emitter.Run(ctx, func(workCtx context.Context) error {
		err := r.all(workCtx)
		cut := errors.Is(err, context.Canceled) && r.reader.Emitter.Stopped() && ctx.Err() == nil
		if cut || errors.Is(err, emit.ErrStopped) {
			return reconcile.Skip(ctx, r.reader, r.in(selected.Comparing))
		}
		return err
	})
}

// read is one Read.
type read struct {
	source  *Source
	config  config.Config
	req     connector.ReadRequest
	streams []*selected.Stream // in the order of the request
	parts   []plan.Part        // of the round
	reader  *family.Reader
	sweeper *changes.Sweeper
	compare reconcile.Options
}

func (s *Source) newRead(c config.Config, req connector.ReadRequest, planned plan.Plan, sink connector.Sink) (*read, error) {
	client := s.client(c, s.options.Retry)
	reader := &family.Reader{
		Client: client,
		Emitter: emit.New(req, sink, emit.Options{
			Account: c.Account, Now: s.options.Now, Heartbeat: s.options.Heartbeat, Meter: &client.Meter,
		}),
		Table: s.streams, PageSize: s.options.PageSize, Live: c.Mode() == "live", Now: s.options.Now,
	}
	r := &read{
		source: s, config: c, req: req, streams: planned.Streams, parts: planned.Parts, reader: reader,
		sweeper: changes.New(reader, changes.Options{UpdateMode: c.UpdateMode, Overlap: c.Overlap, Settling: c.Settling}),
		compare: reconcile.Options{Overlap: c.Overlap},
	}
	r.compare.Range, r.compare.Clamped = plan.Compared(req, c, s.options.Now())
	for _, stream := range r.streams {
		if err := stream.Register(reader.Emitter); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// all reads the lists and the events. An error ends the Read; failures of single streams do not.
func (r *read) all(ctx context.Context) error {
	owner, err := r.verifyOwner(ctx)
	if err != nil {
		return err
	}
	for _, s := range r.streams {
		s.Owner = owner
	}
	for _, s := range r.in(selected.Sweeping) { // they have no lists to read
		if err := s.Begin(ctx); err != nil {
			return err
		}
	}
	return r.rounds(ctx)
}
