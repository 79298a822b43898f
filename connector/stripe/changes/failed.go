package changes

import (
	"context"
	"slices"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/emit"
	"github.com/stripe-connector/stripe-connector/connector/stripe/family"
	"github.com/stripe-connector/stripe-connector/connector/stripe/selected"
	"github.com/stripe-connector/stripe-connector/connector/stripe/state"
)

// continueWithout handles the failure to apply a change. If the failure concerns only that change, it is set aside. If the key may
// not read its streams, they end. Any other error is returned.
func (s *sweep) continueWithout(ctx context.Context, c *change, err error) (*family.Harvest, error) {
	h := family.NewHarvest(c.newest().cause(), nil)
	failure, ok := connector.FailureIn(err)
	switch {
	case !ok || emit.EndsRead(err):
		return h, err
	case s.reader.IsIsolated(ctx, c.member, err):
		for stream := range c.news {
			h.SetAside([]*selected.Stream{stream}, c.item(stream), failure)
		}
		c.asked, c.lists = false, nil // nothing was re-read
		return h, nil
	case failure.Class != connector.PermissionError:
		return h, err
	}
	for stream := range c.news {
		if err := stream.Out.Skip(ctx, failure); err != nil {
			return h, err
		}
	}
	return h, nil
}

// item returns the item to set aside for a stream if the change can't be applied.
func (c *change) item(stream *selected.Stream) state.Item {
	switch c.role {
	case partOfList:
		return state.Item{ID: c.id, Via: c.via()}
	case allChildren:
		return state.Item{ID: c.id, Of: c.row.Parent}
	case childObject:
		return state.Item{ID: parentOf(c.row, c.newest().About), Of: c.row.Parent}
	case ownObject, shownObject:
	}
	if slices.Contains(c.member.Streams, stream) {
		return state.Item{ID: c.id}
	}
	return state.Item{ID: c.id, Of: c.row.Name}
}

// via returns the parameter that selects the part of a list to re-read, or "" if there is none.
func (c *change) via() string {
	for _, stream := range c.member.Streams {
		if param := stream.Row.Via[c.newest().Kind]; param != "" {
			return param
		}
	}
	return ""
}
