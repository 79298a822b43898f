package server

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"google.golang.org/grpc/status"
)

// auditRecord describes a call for the audit log: what was read, and how much. It never holds content.
type auditRecord struct {
	method   string
	streams  []string // the requested streams; empty means all
	accounts []string // accounts whose records were sent, as the source names them
	sent     map[string]int64
}

// audit logs the record of a call that started at began and ended with err.
func (s *service) audit(ctx context.Context, began time.Time, r *auditRecord, err error) {
	if s.opts.Audit == nil {
		return
	}
	attributes := []slog.Attr{
		slog.String("method", r.method),
		slog.String("code", status.Code(err).String()),
		slog.Time("began", began.UTC()),
		slog.Any("streams", r.streams),
	}
	if r.sent != nil {
		attributes = append(attributes, slog.Any("accounts", r.accounts), slog.Any("records", r.sent))
	}
	s.opts.Audit.LogAttrs(ctx, slog.LevelInfo, "audit", attributes...)
}

// count sets the record's accounts and number of records to what e has sent.
func (r *auditRecord) count(e *extraction) {
	r.sent = map[string]int64{}
	for _, s := range e.order {
		r.sent[s.stream] += s.upserts.Records + s.deletes.Records
		if s.account != "" && !slices.Contains(r.accounts, s.account) {
			r.accounts = append(r.accounts, s.account)
		}
	}
}
