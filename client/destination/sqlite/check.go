package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/stripe-connector/stripe-connector/client"
	"github.com/stripe-connector/stripe-connector/client/destination/internal/disk"
	"github.com/stripe-connector/stripe-connector/client/internal/filelock"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// errChecked makes the transaction of a check roll back.
var errChecked = errors.New("checked")

// Check tests what a sync of the streams would do, in a transaction that it rolls back. It doesn't create a missing file.
func Check(ctx context.Context, path string, opts Options, streams []*connectorv1.Stream) ([]client.Finding, error) {
	var findings []client.Finding
	found := func(subject string, err error) bool {
		f := client.Finding{Subject: subject, Verdict: client.FindingOK}
		if err != nil {
			f.Verdict, f.Message = client.FindingProblem, explain(path, err).Error()
		}
		findings = append(findings, f)
		return err == nil
	}
	if !found("check the path", errors.Join(opts.Check(), checkPath(path))) {
		return findings, ctx.Err()
	}
	path = resolve(path)
	if !found("write to folder "+filepath.Dir(path), disk.Writable(filepath.Dir(path))) {
		return findings, ctx.Err()
	}
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		findings = append(findings, client.Finding{Subject: path, Verdict: client.FindingNote, Message: "it doesn't exist yet: the first sync creates it"})
		return findings, ctx.Err()
	}
	lock, err := filelock.Acquire(path + ".lock")
	if !found("lock "+path, err) {
		return findings, ctx.Err()
	}
	d := &Destination{path: path, opts: opts, now: time.Now, lock: lock, tables: map[string]*table{}, completed: map[client.StreamKey]int64{}}
	defer d.Close()
	if !found("open "+path, d.open(ctx)) {
		return findings, ctx.Err()
	}
	err = d.transaction(ctx, func() error {
		if _, err := d.conn.ExecContext(ctx, tables); !found("create the state tables", err) {
			return errChecked
		}
		for _, stream := range streams {
			t, err := layOut(stream, opts)
			if err == nil {
				_, err = d.adapt(ctx, t)
			}
			if err != nil {
				found("table of "+stream.GetName(), err)
			}
		}
		return errChecked
	})
	if !errors.Is(err, errChecked) {
		found("write to "+path, err)
	}
	for _, n := range d.notices {
		findings = append(findings, client.Finding{Subject: "table of " + n.Stream, Verdict: client.FindingNote, Message: n.Message})
	}
	if len(streams) > 0 {
		found(fmt.Sprintf("prepare the tables of %d streams", len(streams)), nil)
	}
	return findings, ctx.Err()
}
