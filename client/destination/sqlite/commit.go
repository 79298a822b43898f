package sqlite

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json/jsontext"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/stripe-connector/stripe-connector/client"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// Commit stores records and states in one transaction.
func (d *Destination) Commit(ctx context.Context, c client.Commit) error {
	err := d.transaction(ctx, func() error {
		var s splitter
		for _, batch := range c.Records {
			if err := d.apply(ctx, &s, batch); err != nil {
				return err
			}
		}
		for _, state := range c.States {
			if err := d.store(ctx, state); err != nil {
				return err
			}
		}
		return nil
	})
	return explain(d.path, err)
}

// apply stores the records of a batch. The context is looked at once per batch: the driver would start a goroutine for
// each statement that can be cancelled.
func (d *Destination) apply(ctx context.Context, s *splitter, batch *connectorv1.RecordBatch) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	t := d.tables[batch.GetStream()]
	if t == nil {
		return fmt.Errorf("the service sent records of %q, which was not asked for: this is a bug, please report it",
			batch.GetStream())
	}
	ctx = context.WithoutCancel(ctx)
	for _, record := range batch.GetRecords() {
		if err := s.split(t, batch.GetAccount(), record, t.args); err != nil {
			return err
		}
		var err error
		switch record.GetOperation() {
		case connectorv1.Operation_OPERATION_UPSERT:
			_, err = t.upsert.ExecContext(ctx, t.args...)
		case connectorv1.Operation_OPERATION_DELETE:
			t.args[t.keys] = batch.GetAccount()
			_, err = t.remove.ExecContext(ctx, t.args[:t.keys+1]...)
		default:
			err = fmt.Errorf("record of %s has operation %s, which this version does not know: update it",
				t.stream, record.GetOperation())
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// store stores a state.
func (d *Destination) store(ctx context.Context, state *connectorv1.StreamState) error {
	content, err := protojson.Marshal(state.GetState())
	if err != nil {
		return fmt.Errorf("encode the state of %s: %w", state.GetStream(), err)
	}
	compact := jsontext.Value(content)
	if err := compact.Compact(); err != nil { // protojson's white space varies from build to build
		return fmt.Errorf("encode the state of %s: %w", state.GetStream(), err)
	}
	_, err = d.state.ExecContext(ctx, state.GetStream(), state.GetAccount(), string(compact))
	return err
}

// transaction runs do in a transaction, which is undone if do fails. Statements are prepared on the one connection, so the
// transaction is begun there by hand.
func (d *Destination) transaction(ctx context.Context, do func() error) error {
	if _, err := d.conn.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	err := do()
	if err == nil {
		_, err = d.conn.ExecContext(context.WithoutCancel(ctx), "COMMIT")
	}
	if err != nil {
		_, undo := d.conn.ExecContext(context.WithoutCancel(ctx), "ROLLBACK")
		return errors.Join(err, undo)
	}
	return nil
}
