package cli

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/dustin/go-humanize"

	"github.com/stripe-connector/stripe-connector/client"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

const (
	// screenStreams is the maximum number of streams shown. It leaves room for earlier output on a terminal of 24
	// lines.
	screenStreams = 8
	screenRefresh = 250 * time.Millisecond
	// eraseBelow erases everything below the cursor. All current terminals support it
	// (https://en.wikipedia.org/wiki/ANSI_escape_code#Control_Sequence_Introducer_commands).
	eraseBelow = "\x1b[J"
)

// screen shows the progress of a sync in a few terminal lines, which it redraws in place and erases at the end.
type screen struct {
	out   io.Writer
	width func() int

	mu    sync.Mutex
	meter *meter
	drawn int // number of lines on the terminal
	done  chan struct{}
	ended sync.WaitGroup
}

func newScreen(out io.Writer, width func() int, m *meter) *screen {
	s := &screen{out: out, width: width, meter: m, done: make(chan struct{})}
	s.ended.Go(func() {
		ticker := time.NewTicker(screenRefresh)
		defer ticker.Stop()
		for {
			select {
			case <-s.done:
				return
			case <-ticker.C:
				s.mu.Lock()
				s.draw()
				s.mu.Unlock()
			}
		}
	})
	return s
}

func (s *screen) observe(m *connectorv1.ReadResponse) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.meter.observe(m)
	if m.GetLog() != nil { // printed above the screen, where it stays
		s.erase()
		for _, line := range wrap(hideKeys(logLine(m.GetLog())), s.width()-1) {
			_, _ = io.WriteString(s.out, line+"\n")
		}
		s.draw()
	}
}

// end stops redrawing and erases the screen.
func (s *screen) end() {
	close(s.done)
	s.ended.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.erase()
}

// draw redraws the screen. The caller holds s.mu.
func (s *screen) draw() {
	lines := s.meter.lines(time.Now(), s.width()-1)
	s.erase()
	_, _ = io.WriteString(s.out, strings.Join(lines, "\n")+"\n")
	s.drawn = len(lines)
}

func (s *screen) erase() {
	if s.drawn > 0 {
		_, _ = fmt.Fprintf(s.out, "\x1b[%dA\r%s", s.drawn, eraseBelow)
		s.drawn = 0
	}
}

// meter collects the figures that progress displays show.
type meter struct {
	begun   time.Time
	limit   int // on requests per second; zero if unknown
	streams map[client.StreamKey]*metered
	total   int64 // records of all Reads

	progress *connectorv1.Progress // the latest
	requests []sample              // the last 6 heartbeats
	ends     []time.Time           // the last 4 estimates of the time of completion
}

// metered is the progress of one stream of one account.
type metered struct {
	key      client.StreamKey
	records  int64
	fraction float64
	last     time.Time // when its last records arrived
	done     bool
}

type sample struct {
	at time.Time
	n  int64
}

func newMeter(limit int) *meter {
	return &meter{begun: time.Now(), limit: limit, streams: map[client.StreamKey]*metered{}}
}

func (m *meter) stream(name, account string) *metered {
	key := client.StreamKey{Stream: name, Account: account}
	if m.streams[key] == nil {
		m.streams[key] = &metered{key: key}
	}
	return m.streams[key]
}

func (m *meter) observe(r *connectorv1.ReadResponse) {
	now := time.Now()
	switch r := r.GetMessage().(type) {
	case *connectorv1.ReadResponse_Records:
		n := int64(len(r.Records.GetRecords()))
		s := m.stream(r.Records.GetStream(), r.Records.GetAccount())
		s.records += n
		s.last = now
		m.total += n
	case *connectorv1.ReadResponse_StreamStatus:
		s := m.stream(r.StreamStatus.GetStream(), r.StreamStatus.GetAccount())
		status := r.StreamStatus.GetStatus()
		s.done = status == connectorv1.StreamStatus_STREAM_STATUS_COMPLETE || status == connectorv1.StreamStatus_STREAM_STATUS_SKIPPED
	case *connectorv1.ReadResponse_Progress:
		m.heartbeat(now, r.Progress)
	}
}

func (m *meter) heartbeat(now time.Time, p *connectorv1.Progress) {
	if m.progress != nil && p.GetRequests() < m.progress.GetRequests() { // another Read has started
		m.requests, m.ends = nil, nil
	}
	m.progress = p
	m.requests = append(m.requests, sample{now, p.GetRequests()})
	if len(m.requests) > 6 {
		m.requests = m.requests[1:]
	}
	m.ends = append(m.ends, now.Add(p.GetTimeLeft().AsDuration()))
	if len(m.ends) > 4 {
		m.ends = m.ends[1:]
	}
	if p.GetTimeLeft() == nil {
		m.ends = nil
	}
	for _, s := range p.GetStreams() {
		m.stream(s.GetStream(), s.GetAccount()).fraction = s.GetFraction()
	}
}

// perSecond returns the requests per second over the last few heartbeats.
func (m *meter) perSecond() float64 {
	if len(m.requests) < 2 {
		return 0
	}
	first, last := m.requests[0], m.requests[len(m.requests)-1]
	return float64(last.n-first.n) / max(last.at.Sub(first.at).Seconds(), 0.1)
}

// left returns the estimated time left, such as "about 5 min left". It returns "" if less than 5 s are left, or while
// the estimates differ too much.
func (m *meter) left(now time.Time) string {
	if len(m.ends) < 3 {
		return ""
	}
	soonest, latest := slices.MinFunc(m.ends, time.Time.Compare), slices.MaxFunc(m.ends, time.Time.Compare)
	left := latest.Sub(now)
	if left < 5*time.Second || latest.Sub(soonest) > left/2+5*time.Second {
		return ""
	}
	if left < time.Minute {
		return fmt.Sprintf("about %d s left", int(left.Seconds()/5+1)*5)
	}
	return fmt.Sprintf("about %d min left", int(left.Minutes())+1)
}

// overall returns the progress line of the whole sync.
func (m *meter) overall(now time.Time) string {
	parts := []string{records(m.total)}
	if seconds := now.Sub(m.begun).Seconds(); seconds >= 1 {
		parts = append(parts, humanize.Comma(int64(float64(m.total)/seconds))+"/s")
	}
	p := m.progress
	if p == nil {
		return strings.Join(parts, ", ")
	}
	if rate := m.perSecond(); m.limit > 0 {
		parts = append(parts, fmt.Sprintf("%.0f of %d requests/s", rate, m.limit))
	} else {
		parts = append(parts, fmt.Sprintf("%.0f requests/s", rate))
	}
	if p.GetFraction() > 0 {
		parts = append(parts, percent(p.GetFraction()))
	}
	switch left := m.left(now); {
	case p.GetWaitingUntil() != nil && p.GetWaitingUntil().AsTime().After(now):
		parts = append(parts, "waiting for Stripe until "+p.GetWaitingUntil().AsTime().Local().Format("15:04:05"))
	case left != "":
		parts = append(parts, left)
	}
	return strings.Join(parts, ", ")
}

// percent formats a fraction as a percentage of at most 99 %, since a stream isn't complete until it says so.
func percent(fraction float64) string { return fmt.Sprintf("%.0f %%", min(100*fraction, 99)) }

// lines returns the lines of the screen: the overall line, the most recently active streams, and the number of the
// others.
func (m *meter) lines(now time.Time, width int) []string {
	var busy []*metered
	finished := 0
	for _, s := range m.streams {
		if s.done {
			finished++
		} else if !s.last.IsZero() {
			busy = append(busy, s)
		}
	}
	slices.SortFunc(busy, func(a, b *metered) int {
		return strings.Compare(a.key.String(), b.key.String()) // keeps the order stable between redraws
	})
	slices.SortStableFunc(busy, func(a, b *metered) int {
		return b.last.Truncate(5 * time.Second).Compare(a.last.Truncate(5 * time.Second))
	})
	lines := []string{cut(m.overall(now), width)}
	for _, s := range busy[:min(len(busy), screenStreams)] {
		count, part := humanize.Comma(s.records), percent(s.fraction)
		room := width - 2 - 14 - 7
		lines = append(lines, cut(fmt.Sprintf("  %s%14s%7s", pad(cut(s.key.String(), room), min(room, 44)), count, part), width))
	}
	if rest := len(m.streams) - finished - min(len(busy), screenStreams); rest > 0 || finished > 0 {
		lines = append(lines, cut(fmt.Sprintf("  %s done, %d remaining", count(finished, "stream"), rest), width))
	}
	return lines
}

func records(n int64) string {
	if n == 1 {
		return "1 record"
	}
	return humanize.Comma(n) + " records"
}

// cut shortens a line to width characters.
func cut(line string, width int) string {
	if utf8.RuneCountInString(line) <= width || width < 1 {
		return line
	}
	return string([]rune(line)[:width-1]) + "…"
}

func pad(text string, width int) string {
	return text + strings.Repeat(" ", max(width-utf8.RuneCountInString(text), 0))
}

// wrap breaks a line at spaces into lines of at most width characters, unless a word is longer.
func wrap(line string, width int) []string {
	var lines []string
	current := ""
	for word := range strings.FieldsSeq(line) {
		if current != "" && utf8.RuneCountInString(current)+1+utf8.RuneCountInString(word) > width {
			lines = append(lines, current)
			current = "  " + word
			continue
		}
		if current != "" {
			current += " "
		}
		current += word
	}
	return append(lines, current)
}
