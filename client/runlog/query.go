package runlog

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// Filter selects runs. The zero value selects all of them.
type Filter struct {
	// ID selects a single run.
	ID int64
	// Pipeline selects the runs of one pipeline.
	Pipeline string
	// Status selects runs with this status.
	Status Status
	// Since excludes runs that started earlier.
	Since time.Time
	// Limit is the maximum number of runs; the newest are returned.
	Limit int
}

// Runs returns the matching runs with their streams, newest first.
func (s *Store) Runs(ctx context.Context, f Filter) ([]Run, error) {
	runs, err := s.runs(ctx, f)
	if err != nil {
		return nil, fmt.Errorf("read the run log: %w", err)
	}
	for i := range runs {
		if runs[i].Streams, err = s.streams(ctx, runs[i].ID); err != nil {
			return nil, fmt.Errorf("read the run log: %w", err)
		}
	}
	return runs, nil
}

func (s *Store) runs(ctx context.Context, f Filter) ([]Run, error) {
	where, args := []string{"true"}, []any{}
	add := func(condition string, arg any) { where, args = append(where, condition), append(args, arg) }
	if f.ID != 0 {
		add("id = ?", f.ID)
	}
	if f.Pipeline != "" {
		add("pipeline = ?", f.Pipeline)
	}
	if f.Status != "" {
		add("status = ?", f.Status)
	}
	if !f.Since.IsZero() {
		add("started >= ?", format(f.Since))
	}
	limit := -1
	if f.Limit > 0 {
		limit = f.Limit
	}
	rows, err := s.db.QueryContext(ctx, `SELECT id, pipeline, slot, attempt, status, process, started, ended, reads, requests, retries,
waited_ms, class, error FROM runs WHERE `+strings.Join(where, " AND ")+` ORDER BY id DESC LIMIT ?`, append(args, limit)...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var runs []Run
	for rows.Next() {
		var r Run
		var waited int64
		err := rows.Scan(&r.ID, &r.Pipeline, instant{&r.Slot}, &r.Attempt, &r.Status, &r.Process, instant{&r.Started}, instant{&r.Ended},
			&r.Reads, &r.Requests, &r.Retries, &waited, &r.Class, &r.Error)
		if err != nil {
			return nil, err
		}
		r.Waited = time.Duration(waited) * time.Millisecond
		runs = append(runs, r)
	}
	return runs, rows.Err()
}

func (s *Store) streams(ctx context.Context, run int64) ([]Stream, error) {
	rows, err := s.db.QueryContext(ctx, `SELECT stream, account, status, extracted, loaded, deleted, bytes, duration_ms, watermark, error, withheld, set_aside, drift
FROM streams WHERE run = ? ORDER BY position`, run)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var streams []Stream
	for rows.Next() {
		var st Stream
		var duration int64
		err := rows.Scan(&st.Stream, &st.Account, &st.Status, &st.Extracted, &st.Loaded, &st.Deleted, &st.Bytes, &duration,
			instant{&st.Watermark}, &st.Error, &st.Withheld, &st.SetAside, driftColumn{&st.Drift})
		if err != nil {
			return nil, err
		}
		st.Duration = time.Duration(duration) * time.Millisecond
		streams = append(streams, st)
	}
	return streams, rows.Err()
}

// Entries returns the log of a run, oldest first.
func (s *Store) Entries(ctx context.Context, run int64) ([]Entry, error) {
	rows, err := s.db.QueryContext(ctx, "SELECT at, level, stream, account, message FROM entries WHERE run = ? ORDER BY position", run)
	if err != nil {
		return nil, fmt.Errorf("read the run log: %w", err)
	}
	defer rows.Close()
	var entries []Entry
	for rows.Next() {
		var e Entry
		if err := rows.Scan(instant{&e.At}, &e.Level, &e.Stream, &e.Account, &e.Message); err != nil {
			return nil, fmt.Errorf("read the run log: %w", err)
		}
		entries = append(entries, e)
	}
	return entries, rows.Err()
}

// Last returns the newest run of a pipeline, without its streams, or nil if it never ran.
func (s *Store) Last(ctx context.Context, pipeline string) (*Run, error) {
	runs, err := s.runs(ctx, Filter{Pipeline: pipeline, Limit: 1})
	if err != nil {
		return nil, fmt.Errorf("read the run log: %w", err)
	}
	if len(runs) == 0 {
		return nil, nil
	}
	return &runs[0], nil
}

// instant scans a time as stored in the file. NULL becomes the zero time.
type instant struct{ *time.Time }

// Scan implements sql.Scanner.
func (i instant) Scan(value any) (err error) {
	switch v := value.(type) {
	case nil:
		*i.Time = time.Time{}
	case string:
		*i.Time, err = time.Parse(layout, v)
	default:
		err = fmt.Errorf("a time is stored as %T", value)
	}
	return err
}
