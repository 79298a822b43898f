package cli

import (
	"io"
	"sync/atomic"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// barTotal is the length of a bar: fractions are shown in thousandths.
const barTotal = 1000

// bars shows a bar for each stream that is being read. There can be a hundred streams, so those that ended make room; the
// report tells of them.
type bars struct {
	container *mpb.Progress
	streams   map[string]*bar
}

// bar is that of one stream. Its decorations are drawn by another goroutine.
type bar struct {
	*mpb.Bar
	records atomic.Int64
	status  atomic.Value // string
}

func newBars(out io.Writer) *bars {
	return &bars{
		container: mpb.New(mpb.WithOutput(out), mpb.WithWidth(40), mpb.WithAutoRefresh()),
		streams:   map[string]*bar{},
	}
}

func (b *bars) observe(m *connectorv1.ReadResponse) {
	switch m := m.GetMessage().(type) {
	case *connectorv1.ReadResponse_Records:
		b.of(m.Records.GetStream(), m.Records.GetAccount()).records.Add(int64(len(m.Records.GetRecords())))
	case *connectorv1.ReadResponse_StreamStatus:
		b.status(m.StreamStatus)
	case *connectorv1.ReadResponse_Progress:
		for _, s := range m.Progress.GetStreams() {
			if stream := b.of(s.GetStream(), s.GetAccount()); !stream.AbortedOrCompleted() {
				stream.SetCurrent(min(int64(s.GetFraction()*barTotal), barTotal-1))
			}
		}
	case *connectorv1.ReadResponse_Log:
		tell(b.container, "%s", logLine(m.Log)) // above the bars
	}
}

// status shows what became of a stream.
func (b *bars) status(s *connectorv1.StreamStatusChange) {
	stream := b.of(s.GetStream(), s.GetAccount())
	switch s.GetStatus() {
	case connectorv1.StreamStatus_STREAM_STATUS_STARTED, connectorv1.StreamStatus_STREAM_STATUS_RUNNING:
		stream.status.Store("")
	case connectorv1.StreamStatus_STREAM_STATUS_INCOMPLETE: // another Read may go on with it
		stream.status.Store("incomplete")
	default:
		stream.SetCurrent(barTotal)
	}
}

// of gives the bar of a stream.
func (b *bars) of(stream, account string) *bar {
	name := streamName(stream, account)
	if have, ok := b.streams[name]; ok {
		return have
	}
	made := &bar{}
	made.status.Store("")
	made.Bar = b.container.AddBar(barTotal,
		mpb.BarRemoveOnComplete(),
		mpb.PrependDecorators(
			decor.Name(name, decor.WCSyncSpaceR),
			decor.Any(func(decor.Statistics) string { return thousands(made.records.Load()) }, decor.WCSyncSpace)),
		mpb.AppendDecorators(
			decor.Percentage(decor.WC{W: 5}),
			decor.Any(func(decor.Statistics) string { return " " + made.status.Load().(string) })))
	b.streams[name] = made
	return made
}

// end leaves the bars as they are and waits until they are drawn.
func (b *bars) end() {
	for _, stream := range b.streams {
		if !stream.AbortedOrCompleted() {
			stream.Abort(false)
		}
	}
	b.container.Wait()
}
