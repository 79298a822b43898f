package server

import (
	"context"
	"fmt"
	"slices"
	"time"

	"google.golang.org/grpc"

	"github.com/stripe-connector/stripe-connector/connector"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// Read streams the records of the configured streams and ends with a Summary. The source runs in the goroutine of the call.
// It gets the stream's context, which is done when the client is gone.
func (s *service) Read(
	req *connectorv1.ReadRequest, stream grpc.ServerStreamingServer[connectorv1.ReadResponse],
) error {
	ctx, began, record := stream.Context(), time.Now(), &auditRecord{method: "Read"}
	for _, configured := range req.GetStreams()[:min(len(req.GetStreams()), maxMembers)] {
		record.streams = append(record.streams, configured.GetStream())
	}
	config, err := s.resolve(ctx, req.GetConfig())
	hidden := s.secretsOf(config)
	if err == nil {
		req.Config = config
		err = s.read(ctx, req, stream, hidden, record)
	}
	if failure, ok := connector.FailureIn(err); ok {
		s.opts.Observer.ReadFailed(failure.Class)
	}
	ended := toStatus(err, hidden)
	if cut := cutOff(ctx); cut != nil {
		ended = cut
	}
	s.audit(ctx, began, record, ended)
	return ended
}

func (s *service) read(
	ctx context.Context, req *connectorv1.ReadRequest, stream grpc.ServerStreamingServer[connectorv1.ReadResponse],
	hidden secrets, record *auditRecord,
) error {
	if err := s.checkDrain(); err != nil {
		return err
	}
	read, err := parseRead(req, s.spec)
	if err != nil {
		return err
	}
	read.Drain = s.drain
	account := s.identify(read.Config)
	callOf(ctx).setAccount(account)
	leave, err := s.reads.enter(account)
	if err != nil {
		return err
	}
	defer leave()
	out := &sink{
		stream: stream,
		packer: packer{
			format: req.GetRecordFormat(), batchBytes: s.opts.BatchBytes, maxBytes: s.opts.MaxMessageBytes,
		},
		hidden: hidden,
		stall:  watchStall(stream, s.opts.StallTimeout),
	}
	counted := newExtraction(out, s.opts.Observer, shortHash(account))
	defer record.count(counted)
	defer counted.end(ctx, s.opts.Logger, hidden)
	summary, err := s.source.Read(ctx, read, counted)
	if err != nil {
		return err
	}
	counted.finish(ctx, summary)
	if err := out.sendSummary(ctx, summary); err != nil {
		return err
	}
	return outcome(summary)
}

// outcome returns the error of a Read that ended with a summary: the failure of the first stream that failed. Streams that
// were skipped, or ended early at a limit of the request, did not fail. But if all streams were skipped, the Read fails,
// because it read nothing.
func outcome(summary connector.Summary) error {
	read := func(stream connector.StreamSummary) bool { return stream.Status != connector.Skipped }
	nothing := !slices.ContainsFunc(summary.Streams, read)
	for _, stream := range summary.Streams {
		switch {
		case stream.Status == connector.Complete, stream.Status == connector.Skipped && !nothing:
		case stream.Failure != nil:
			failure := *stream.Failure
			if failure.Stream == "" {
				failure.Stream, failure.Account = stream.Stream, stream.Account
			}
			return &failure
		case stream.Status != connector.Incomplete:
			return fmt.Errorf("the source ended with stream %s %s", stream.Stream, stream.Status)
		}
	}
	return nil
}
