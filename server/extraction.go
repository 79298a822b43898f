package server

import (
	"context"
	"log/slog"
	"time"

	"github.com/grpc-ecosystem/go-grpc-middleware/v2/interceptors/logging"

	"github.com/stripe-connector/stripe-connector/connector"
)

// extraction is a sink that counts what a Read sends and notifies the observer. At the end of the Read, it logs one line per
// stream, and adds the totals to the call's line.
type extraction struct {
	connector.Sink

	observer Observer
	account  string // a short hash
	streams  map[place]*extracted
	order    []*extracted // in order of first use
}

// place identifies a stream of an account.
type place struct{ stream, account string }

// extracted is the progress of a stream.
type extracted struct {
	place
	status           connector.Status
	failure          *connector.Failure
	generation       int64
	upserts, deletes Count
	watermark        time.Time
	began, ended     time.Time
}

func newExtraction(next connector.Sink, observer Observer, account string) *extraction {
	observer.ReadBegan()
	return &extraction{Sink: next, observer: observer, account: account, streams: map[place]*extracted{}}
}

// Send sends m, and then counts it.
func (e *extraction) Send(ctx context.Context, m connector.Message) error {
	if err := e.Sink.Send(ctx, m); err != nil {
		return err
	}
	switch m := m.(type) {
	case *connector.RecordBatch:
		e.count(m)
	case *connector.StateCheckpoint:
		e.reached(e.at(m.Stream, m.Account), m.Watermark)
	case *connector.StreamStatus:
		e.status(m)
	}
	return nil
}

func (e *extraction) at(stream, account string) *extracted {
	at := place{stream, account}
	s := e.streams[at]
	if s == nil {
		s = &extracted{place: at, began: time.Now()}
		e.streams[at] = s
		e.order = append(e.order, s)
		e.observer.StreamSelected(e.account, stream)
	}
	return s
}

func (e *extraction) count(batch *connector.RecordBatch) {
	var upserts, deletes Count
	for i := range batch.Records {
		record := Count{Records: 1, Bytes: int64(len(batch.Records[i].Data))}
		if batch.Records[i].Operation == connector.Upsert {
			upserts.add(record)
		} else {
			deletes.add(record)
		}
	}
	s := e.at(batch.Stream, batch.Account)
	s.upserts.add(upserts)
	s.deletes.add(deletes)
	if !s.ended.IsZero() {
		s.ended = time.Now() // a Read with follow may send more after COMPLETE
	}
	if upserts.Records > 0 {
		e.observer.RecordsSent(batch.Stream, connector.Upsert, upserts)
	}
	if deletes.Records > 0 {
		e.observer.RecordsSent(batch.Stream, connector.Delete, deletes)
	}
}

func (e *extraction) reached(s *extracted, watermark time.Time) {
	if watermark.After(s.watermark) {
		s.watermark = watermark
		e.observer.WatermarkReached(e.account, s.stream, watermark)
	}
}

func (e *extraction) status(m *connector.StreamStatus) {
	s := e.at(m.Stream, m.Account)
	s.status, s.failure, s.generation = m.Status, m.Failure, m.Generation
	if m.Status >= connector.Complete {
		s.ended = time.Now()
	}
}

// finish records the results that only the summary contains.
func (e *extraction) finish(ctx context.Context, summary connector.Summary) {
	for _, m := range summary.Streams {
		s := e.at(m.Stream, m.Account)
		s.status, s.failure, s.generation = m.Status, m.Failure, m.Generation
		e.reached(s, m.Watermark)
	}
	logging.AddFields(ctx, logging.Fields{
		"requests", summary.Requests, "retries", summary.Retries, "waited_ms", summary.Waited.Milliseconds(),
		"has_more", summary.HasMore,
	})
}

// end writes the log. Streams without a final status are INCOMPLETE: they resume from their last state.
func (e *extraction) end(ctx context.Context, logger *slog.Logger, hidden secrets) {
	var all Count
	for _, s := range e.order {
		if s.status < connector.Complete {
			s.status = connector.Incomplete
		}
		if s.ended.IsZero() {
			s.ended = time.Now()
		}
		level, class := slog.LevelInfo, connector.Class(0)
		if s.failure != nil {
			level, class = slog.LevelWarn, s.failure.Class
		}
		logger.LogAttrs(ctx, level, "read stream", s.attributes(hidden)...)
		e.observer.StreamEnded(s.stream, s.status, class)
		all.add(s.upserts)
		all.add(s.deletes)
	}
	e.observer.ReadEnded()
	logging.AddFields(ctx, logging.Fields{"streams", len(e.order), "records", all.Records, "bytes", all.Bytes})
}

func (s *extracted) attributes(hidden secrets) []slog.Attr {
	attributes := []slog.Attr{
		slog.String("stream", hidden.clean(s.stream)),
		slog.String("status", s.status.String()),
		slog.Int64("generation", s.generation),
		slog.Int64("upserts", s.upserts.Records),
		slog.Int64("deletes", s.deletes.Records),
		slog.Int64("bytes", s.upserts.Bytes+s.deletes.Bytes),
		slog.Int64("duration_ms", s.ended.Sub(s.began).Milliseconds()),
	}
	if s.account != "" {
		attributes = append(attributes, slog.String("account", hidden.clean(s.account)))
	}
	if !s.watermark.IsZero() {
		attributes = append(attributes, slog.Time("watermark", s.watermark.UTC()))
	}
	if f := s.failure; f != nil {
		attributes = append(attributes,
			slog.String("class", f.Class.String()),
			slog.String("message", hidden.clean(f.Message)),
			slog.Int("http_status", f.HTTPStatus),
			slog.String("source_code", hidden.clean(f.SourceCode)),
			slog.String("request_id", hidden.clean(f.RequestID)))
	}
	return attributes
}
