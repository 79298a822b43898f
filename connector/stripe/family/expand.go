package family

import (
	"context"
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

// expansion is something that is asked for in the objects of a member: the objects of a child, or a column.
type expansion struct {
	table.Expansion
	child   *Member            // whose objects it is, or that has the column; nil for a column of the member itself
	streams []*selected.Stream // whose column it is; nil for the objects of a child
	refused *atomic.Pointer[connector.Failure]
}

// asked reports whether Stripe is asked for e.
func (e *expansion) asked() bool { return e.refused.Load() == nil }

// findExpansions finds what is asked for in the objects of m: the columns of its own streams, the children that are embedded
// only if asked for, and the columns of embedded children.
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

// expand adds what is asked for in a list of m to a query, or, with an empty prefix, in one object.
func (m *Member) expand(query url.Values, prefix string) {
	for _, e := range m.expansions {
		follows := prefix != "" || e.child == nil || e.child.Follows()
		if path := prefix + e.Path(); e.asked() && follows && !slices.Contains(query["expand[]"], path) {
			query.Add("expand[]", path)
		}
	}
}

// prefix is where the objects of a list of m stand in its answers.
func (m *Member) prefix() string {
	if m.Row.Single {
		return ""
	}
	return "data."
}

// Asks reports whether objects of m have columns, or children, that events never show.
func (m *Member) Asks() bool {
	return slices.ContainsFunc(m.expansions, func(e *expansion) bool {
		inline := e.child != nil && e.child.Row.Inline && e.child.Follows()
		return e.asked() && (e.streams != nil && (e.child == nil || e.child.Follows()) || inline)
	})
}

// shown returns an object as it is shown for a stream: without what was expanded for others. For nil, nothing was.
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

// hasStep reports whether a column of a stream is at a path, or below it.
func hasStep(s *selected.Stream, path string) bool {
	return slices.ContainsFunc(s.Expansions, func(e table.Expansion) bool {
		return slices.ContainsFunc(e.Steps, func(step table.Step) bool { return step.Path == path })
	})
}

// Unexpand drops what Stripe refuses to expand in objects of m, if err, the answer to a request, says that it refused
// something, and reports whether to ask again. Of several expansions, those that are refused alone are dropped, so that a
// permission that is missing costs one column, or one way to read children.
func (r *Reader) Unexpand(ctx context.Context, m *Member, path string, query url.Values, err error) (bool, error) {
	if !api.IsExpansionRefused(err) {
		return false, nil
	}
	paths := query["expand[]"]
	dropped := false
	for _, e := range m.expansions {
		i := slices.IndexFunc(paths, func(path string) bool { return path == e.Path() || path == "data."+e.Path() })
		if i < 0 {
			continue
		}
		cause := err
		if len(paths) > 1 {
			if cause = r.tryExpansion(ctx, m, path, query, paths[i]); cause == nil {
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
	if !dropped { // only together
		for _, e := range m.expansions {
			if slices.Contains(paths, m.prefix()+e.Path()) || slices.Contains(paths, e.Path()) {
				dropped = true
				if err := e.drop(ctx, connector.AsFailure(err)); err != nil {
					return false, err
				}
			}
		}
	}
	return dropped, nil
}

// tryExpansion returns the error of a request that expands one thing.
func (r *Reader) tryExpansion(ctx context.Context, m *Member, path string, query url.Values, expand string) error {
	one := url.Values{}
	for name, values := range query {
		one[name] = values
	}
	one["expand[]"] = []string{expand}
	if !strings.HasPrefix(expand, m.prefix()) || m.prefix() == "" {
		_, err := r.Client.Single(ctx, path, one)
		return err
	}
	if one.Has("limit") {
		one.Set("limit", "1")
	}
	_, err := r.Client.List(ctx, path, one)
	return err
}

// drop makes a member do without an expansion that Stripe refuses. Children have an endpoint of their own, which says what is
// missing, or else their streams are skipped; a column stays empty.
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
