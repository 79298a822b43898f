package client

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"maps"
	"slices"
	"time"

	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// Verifier is a Destination that can compare its rows with records. Its methods are called after Begin.
type Verifier interface {
	Destination
	// Compare compares rows with the upserts of a batch, which were just read. It returns a Comparison for each record.
	Compare(ctx context.Context, batch *connectorv1.RecordBatch) ([]Comparison, error)
	// Count returns the number of rows of a stream whose objects exist at the source, in all accounts.
	Count(ctx context.Context, stream string) (int64, error)
}

// Comparison is the result of comparing a record with its row.
type Comparison struct {
	Key   string // the primary key, with the account
	Match Match
}

// Match says how a row compares to a record.
type Match int

// The results of a comparison.
const (
	Same Match = iota
	Missing
	Different
)

// VerifyOptions are the options of [Client.Verify].
type VerifyOptions struct {
	// Sync has the configuration, the destination, which must be a [Verifier], and the selection, as in the sync to verify.
	Sync SyncOptions
	// Sample is the number of objects of each stream to compare, the newest first. Zero means all.
	Sample int64
	// Settle is how long to wait before streams that differ are synced, so that the sync reads changes of the last seconds.
	Settle time.Duration
	// Observe, if set, is called when a stream has been compared.
	Observe func(Verification)
}

// Verification is the result of comparing a stream with the source.
type Verification struct {
	Stream string
	// Synced is false if the destination has no state of the stream, so that there is nothing to compare.
	Synced bool
	// Failure says why the stream could not be read, or is nil.
	Failure *connectorv1.Failure
	// Rows is the number of rows in the destination.
	Rows int64
	// Objects is the number of objects that were compared. If Complete is set, these are all that the source has.
	Objects  int64
	Complete bool
	// Missing and Different are the primary keys of objects whose row is missing or differs, sorted.
	Missing, Different []string
}

// Agrees reports whether all objects that were compared have equal rows and, if all objects were compared, there are no other rows.
func (v *Verification) Agrees() bool {
	return v.Failure == nil && len(v.Missing)+len(v.Different) == 0 && (!v.Complete || v.Rows == v.Objects)
}

// Verify compares the rows of a destination with the source, stream by stream. It reads each stream from the beginning, which
// changes no state. Streams that differ may have changed since the last sync, so Verify syncs and compares them once more: only what
// differs both times is reported.
func (c *Client) Verify(ctx context.Context, opts VerifyOptions) ([]Verification, error) {
	d, ok := opts.Sync.Destination.(Verifier)
	if !ok {
		return nil, errors.New("this kind of destination can't be compared with the source: choose a database")
	}
	r := &run{client: c, opts: opts.Sync, tally: newTally()}
	if err := r.discover(ctx); err != nil {
		return nil, err
	}
	begun, err := d.Begin(ctx, streams(r.chosen))
	if err != nil {
		return nil, fmt.Errorf("begin in the destination: %w", err)
	}
	synced := map[string]bool{}
	for _, s := range begun.States {
		synced[s.GetStream()] = true
	}
	all := make([]Verification, len(r.chosen))
	again := opts.Sync
	again.Selection = Selection{Fields: opts.Sync.Selection.Fields}
	again.Follow, again.Reread, again.Reconcile = false, false, false
	for i, c := range r.chosen {
		all[i] = Verification{Stream: c.stream.GetName(), Synced: synced[c.stream.GetName()]}
		if !all[i].Synced {
			continue
		}
		if all[i], err = r.verify(ctx, opts, d, c); err != nil {
			return nil, err
		}
		if !all[i].Agrees() && all[i].Failure == nil {
			again.Selection.Select = append(again.Selection.Select, all[i].Stream)
		}
	}
	if len(again.Selection.Select) == 0 {
		return all, nil
	}
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-time.After(opts.Settle):
	}
	if _, err := c.Sync(ctx, again); err != nil {
		return nil, err
	}
	for i, c := range r.chosen {
		if !slices.Contains(again.Selection.Select, all[i].Stream) {
			continue
		}
		first := all[i]
		if all[i], err = r.verify(ctx, opts, d, c); err != nil {
			return nil, err
		}
		all[i].Missing = slices.DeleteFunc(all[i].Missing, func(key string) bool { return !slices.Contains(first.Missing, key) })
		all[i].Different = slices.DeleteFunc(all[i].Different, func(key string) bool { return !slices.Contains(first.Different, key) })
	}
	return all, nil
}

// verify compares a stream once.
func (r *run) verify(ctx context.Context, opts VerifyOptions, d Verifier, chosen chosen) (Verification, error) {
	v := Verification{Stream: chosen.stream.GetName(), Synced: true}
	seed, seen, differing := maphash.MakeSeed(), map[uint64]bool{}, map[string]Match{}
	summary, err := r.client.ReadOnce(ctx, &connectorv1.ReadRequest{
		Config: opts.Sync.Config,
		Streams: []*connectorv1.ConfiguredStream{{
			Stream: v.Stream, SyncMode: connectorv1.SyncMode_SYNC_MODE_FULL_REFRESH, Fields: chosen.fields,
		}},
		RecordFormat:       connectorv1.RecordFormat_RECORD_FORMAT_JSON,
		RecordLimit:        opts.Sample,
		Priority:           connectorv1.Priority_PRIORITY_NEWEST_FIRST,
		AcceptedOperations: []connectorv1.Operation{connectorv1.Operation_OPERATION_UPSERT},
	}, func(m *connectorv1.ReadResponse) error {
		if m.GetRecords() == nil {
			return nil
		}
		compared, err := d.Compare(ctx, m.GetRecords())
		for _, one := range compared {
			seen[maphash.String(seed, one.Key)] = true
			if differing[one.Key] = one.Match; one.Match == Same {
				delete(differing, one.Key)
			}
		}
		return err
	})
	if summary == nil && err != nil {
		return v, err
	}
	for _, s := range summary.GetStreams() {
		if s.GetFailure() != nil {
			v.Failure = s.GetFailure()
		}
	}
	for _, key := range slices.Sorted(maps.Keys(differing)) {
		if differing[key] == Missing {
			v.Missing = append(v.Missing, key)
		} else {
			v.Different = append(v.Different, key)
		}
	}
	v.Objects, v.Complete = int64(len(seen)), !summary.GetHasMore() && v.Failure == nil
	v.Rows, err = d.Count(ctx, v.Stream)
	if opts.Observe != nil {
		opts.Observe(v)
	}
	return v, err
}
