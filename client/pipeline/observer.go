package pipeline

import (
	"cmp"
	"context"
	"strings"
	"time"

	"github.com/stripe-connector/stripe-connector/client"
	"github.com/stripe-connector/stripe-connector/client/runlog"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// saveInterval is how often the progress of a run is saved.
const saveInterval = 5 * time.Second

// observer records a run in the run log. If writing the log fails, the run continues, and the error is reported at
// its end.
type observer struct {
	run  *runlog.Run
	log  *runlog.Store
	hide func(string) string
	err  error

	follows bool // whether the sync follows; if so, each state updates the freshness of its stream

	index  map[client.StreamKey]int // index into run.Streams
	before effort                   // of completed Reads
	now    effort                   // of the current Read
	saved  time.Time
}

// effort counts what Reads cost at the source.
type effort struct {
	requests, retries int64
	waited            time.Duration
}

func (e effort) plus(o effort) effort {
	return effort{e.requests + o.requests, e.retries + o.retries, e.waited + o.waited}
}

// stream returns the run's entry for a stream, which it adds if needed.
func (o *observer) stream(name, account string) *runlog.Stream {
	key := client.StreamKey{Stream: name, Account: account}
	i, ok := o.index[key]
	if !ok {
		if o.index == nil {
			o.index = map[client.StreamKey]int{}
		}
		i = len(o.run.Streams)
		o.index[key] = i
		o.run.Streams = append(o.run.Streams, runlog.Stream{Stream: name, Account: account, Status: "not started"})
	}
	return &o.run.Streams[i]
}

// observe is called with each message of the sync.
func (o *observer) observe(ctx context.Context, m *connectorv1.ReadResponse) {
	switch m := m.GetMessage().(type) {
	case *connectorv1.ReadResponse_Records:
		o.stream(m.Records.GetStream(), m.Records.GetAccount()).Extracted += int64(len(m.Records.GetRecords()))
	case *connectorv1.ReadResponse_Checkpoint:
		if s := m.Checkpoint.GetState(); o.follows {
			o.stream(s.GetStream(), s.GetAccount()).Watermark = time.Now()
		}
	case *connectorv1.ReadResponse_StreamStatus:
		s := m.StreamStatus
		o.stream(s.GetStream(), s.GetAccount()).Status = statusWord(s.GetStatus())
		if s.GetStatus() == connectorv1.StreamStatus_STREAM_STATUS_INCOMPLETE && s.GetFailure() != nil {
			o.entry(ctx, "error", s.GetStream(), s.GetAccount(), s.GetFailure().GetMessage())
		}
	case *connectorv1.ReadResponse_Log:
		level := strings.ToLower(strings.TrimPrefix(m.Log.GetLevel().String(), "LOG_LEVEL_"))
		o.entry(ctx, level, m.Log.GetStream(), m.Log.GetAccount(), m.Log.GetMessage())
	case *connectorv1.ReadResponse_Progress:
		if m.Progress.GetRequests() < o.now.requests { // another Read started
			o.before, o.now = o.before.plus(o.now), effort{}
		}
		o.now.requests, o.now.retries = m.Progress.GetRequests(), m.Progress.GetRetries()
		o.save(ctx)
	case *connectorv1.ReadResponse_Summary:
		o.summary(m.Summary)
	}
}

// summary records the final counts of a Read.
func (o *observer) summary(s *connectorv1.Summary) {
	o.now = effort{}
	o.before = o.before.plus(effort{s.GetRequests(), s.GetRetries(), s.GetWaited().AsDuration()})
	for _, stream := range s.GetStreams() {
		if w := stream.GetWatermark(); w != nil {
			o.stream(stream.GetStream(), stream.GetAccount()).Watermark = w.AsTime()
		}
	}
}

// save stores the progress of the run, at most once per saveInterval.
func (o *observer) save(ctx context.Context) {
	if time.Since(o.saved) < saveInterval {
		return
	}
	o.saved = time.Now()
	o.total()
	o.note(o.log.Save(context.WithoutCancel(ctx), o.run))
}

// note keeps the first error from writing the log.
func (o *observer) note(err error) { o.err = cmp.Or(o.err, err) }

// total updates the run with the effort of all its Reads.
func (o *observer) total() {
	sum := o.before.plus(o.now)
	o.run.Requests, o.run.Retries, o.run.Waited = sum.requests, sum.retries, sum.waited
}

func (o *observer) entry(ctx context.Context, level, stream, account, message string) {
	o.note(o.log.Add(context.WithoutCancel(ctx), o.run.ID, runlog.Entry{
		At: time.Now(), Level: level, Stream: stream, Account: account, Message: o.hide(message)}))
}

// end updates the run with the sync's report. A nil report means that the sync didn't start.
func (o *observer) end(ctx context.Context, report *client.Report) {
	o.total()
	if report == nil {
		return
	}
	o.run.Reads = report.Reads
	streams := make([]runlog.Stream, 0, len(report.Streams))
	for _, s := range report.Streams {
		seen := o.stream(s.Stream, s.Account)
		if notice := s.RefusedNotice(); notice != "" {
			o.entry(ctx, "warning", s.Stream, s.Account, notice)
		}
		streams = append(streams, runlog.Stream{
			Stream: s.Stream, Account: s.Account, Status: statusWord(s.Status), Extracted: seen.Extracted,
			Loaded: s.Upserts, Deleted: s.Deletes + s.DeletesMatching, Withheld: s.Withheld, SetAside: s.SetAsideTotal, Bytes: s.Bytes, Duration: s.Duration, Watermark: seen.Watermark, Drift: s.Drift,
			Error: o.hide(cmp.Or(s.Failure.GetMessage(), strings.TrimSpace(s.RefusedNotice()+" "+s.SetAsideNotice()))),
		})
	}
	o.run.Streams = streams
}
