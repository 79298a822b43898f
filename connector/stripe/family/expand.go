package family

import (
	"context"
	"maps"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/stripe/api"
	"github.com/stripe-connector/stripe-connector/connector/stripe/rawjson"
	"github.com/stripe-connector/stripe-connector/connector/stripe/selected"
	"github.com/stripe-connector/stripe-connector/connector/stripe/table"
)

// expansion is something that Stripe includes in the objects of a member only on request: the objects of a child, or a
// column.
type expansion struct {
	table.Expansion
	child   *Member            // the child that it belongs to; nil for a column of the member itself
	streams []*selected.Stream // the streams with the column; nil for the objects of a child
	refused *atomic.Pointer[connector.Failure]
}

// isActive reports whether e is requested.
func (e *expansion) isActive() bool { return e.refused.Load() == nil }

// findExpansions collects the expansions for the objects of m: columns of its own streams, children that are embedded only
// on request, and columns of embedded children.
func (m *Member) findExpansions() {
	for _, s := range m.Streams {
		for _, e := range s.Expansions {
			m.addColumn(s, e)
		}
	}
	for _, child := range m.Children {
		child.apart = child.Row.Embedded != "" && !child.Row.Inline && slices.ContainsFunc(child.expansions, func(e *expansion) bool {
			return e.child == nil && !e.Below(child.Row.Holder()).Fits()
		})
		if child.apart || child.Row.Embedded == "" {
			continue
		}
		if e, ok := child.Row.Expansion(); ok {
			m.expansions = append(m.expansions, &expansion{Expansion: e, child: child, refused: &child.unexpanded})
		}
		for _, e := range child.expansions {
			if e.child == nil {
				m.expansions = append(m.expansions, &expansion{Expansion: e.Below(child.Row.Holder()), child: child, streams: e.streams, refused: e.refused})
			}
		}
	}
}

func (m *Member) addColumn(s *selected.Stream, e table.Expansion) {
	for _, known := range m.expansions {
		if known.Path() == e.Path() {
			known.streams = append(known.streams, s)
			return
		}
	}
	m.expansions = append(m.expansions, &expansion{Expansion: e, streams: []*selected.Stream{s}, refused: &atomic.Pointer[connector.Failure]{}})
}

// expand adds the expansions to the query of a list of m or, with an empty prefix, of one object.
func (m *Member) expand(query url.Values, prefix string) {
	for _, e := range m.expansions {
		follows := prefix != "" || e.child == nil || e.child.Follows()
		if path := prefix + e.Path(); e.isActive() && follows && !slices.Contains(query["expand[]"], path) {
			query.Add("expand[]", path)
		}
	}
}

// prefix returns the path prefix of the objects in a list response of m.
func (m *Member) prefix() string {
	if m.Row.Single {
		return ""
	}
	return "data."
}

// HasExpansions reports whether objects of m have columns or children that events never contain.
func (m *Member) HasExpansions() bool {
	return slices.ContainsFunc(m.expansions, func(e *expansion) bool {
		inline := e.child != nil && e.child.Row.Inline && e.child.Follows()
		return e.isActive() && (e.streams != nil && (e.child == nil || e.child.Follows()) || inline)
	})
}

// shown returns an object as sent for a stream, without what was expanded for others. If s is nil, it removes all
// expansions.
func (m *Member) shown(raw string, s *selected.Stream) string {
	for _, e := range m.expansions {
		if e.child == nil && s != nil && slices.Contains(e.streams, s) {
			continue
		}
		for _, step := range e.Steps {
			if s != nil && hasStep(s, step.Path) {
				continue
			}
			path := strings.Split(step.Path, ".")
			if step.Includes {
				raw = rawjson.Remove(raw, path...)
			} else {
				raw = rawjson.Collapse(raw, path...)
			}
			break
		}
	}
	return raw
}

// hasStep reports whether a stream has a column at path or below it.
func hasStep(s *selected.Stream, path string) bool {
	return slices.ContainsFunc(s.Expansions, func(e table.Expansion) bool {
		return slices.ContainsFunc(e.Steps, func(step table.Step) bool { return step.Path == path })
	})
}

// Unexpand drops what Stripe refuses to expand in objects of m, if err says that Stripe refused an expansion in a request.
// It reports whether to repeat the request. If there were several expansions, it tries each separately and drops those that
// are refused, so that a missing permission costs only one column or one way to read children.
func (r *Reader) Unexpand(ctx context.Context, m *Member, path string, query url.Values, err error) (bool, error) {
	if !api.IsExpansionRefused(err) {
		return false, nil
	}
	if isRefused(r.tryExpansion(ctx, path, query, "")) {
		return false, nil // the endpoint itself is refused
	}
	paths := query["expand[]"]
	var requested []*expansion
	dropped := false
	for _, e := range m.expansions {
		i := slices.IndexFunc(paths, func(path string) bool { return path == e.Path() || path == "data."+e.Path() })
		if i < 0 {
			continue
		}
		requested = append(requested, e)
		cause := err
		if len(paths) > 1 {
			if cause = r.tryExpansion(ctx, path, query, paths[i]); cause == nil {
				continue
			}
			if !api.IsExpansionRefused(cause) {
				return false, cause
			}
		}
		dropped = true
		if err := e.drop(ctx, connector.AsFailure(cause)); err != nil {
			return false, err
		}
	}
	if dropped {
		return true, nil
	}
	for _, e := range requested { // they are only refused together
		if err := e.drop(ctx, connector.AsFailure(err)); err != nil {
			return false, err
		}
	}
	return len(requested) > 0, nil
}

// isRefused reports whether err says that the key lacks a permission.
func isRefused(err error) bool {
	failure, ok := connector.FailureIn(err)
	return ok && failure.Class == connector.PermissionError
}

// tryExpansion makes a request with a single expansion, or with none if expand is empty, and returns its error.
func (r *Reader) tryExpansion(ctx context.Context, path string, query url.Values, expand string) error {
	one := maps.Clone(query)
	delete(one, "expand[]")
	if expand != "" {
		one["expand[]"] = []string{expand}
	}
	if !one.Has("limit") { // an object
		_, err := r.Client.Single(ctx, path, one)
		return err
	}
	one.Set("limit", "1")
	_, err := r.Client.List(ctx, path, one)
	return err
}

// drop stops requesting an expansion that Stripe refuses. Children are read from their own endpoint, whose error names what
// is missing; if they have none, their streams are skipped. A column stays empty.
func (e *expansion) drop(ctx context.Context, failure *connector.Failure) error {
	if !e.refused.CompareAndSwap(nil, failure) {
		return nil
	}
	for _, s := range e.streams {
		message := "Stripe refuses to show " + e.Path() + ", which stays empty. " + failure.Message
		if err := s.Out.LogOnce(ctx, e.Path()+" refused", connector.Warning, message); err != nil {
			return err
		}
	}
	if e.streams != nil || !e.child.Row.Inline {
		return nil
	}
	e.child.refused.Store(failure)
	for _, s := range e.child.All() {
		if err := s.Out.Skip(ctx, failure); err != nil {
			return err
		}
	}
	return nil
}
