package stripe

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/emit"
	"github.com/stripe-connector/stripe-connector/connector/stripe/state"
)

// verifyOwner returns whose data the Read is about, and refuses states of another account. The account is requested when an
// incremental stream begins, and when a state was last read with another key. A key that may not read it is believed.
func (r *read) verifyOwner(ctx context.Context) (state.Owner, error) {
	own := state.Owner{Key: hashKey(r.config.APIKey)}
	beginning, doubtful := false, false
	for _, s := range r.streams {
		switch {
		case s.Given == nil:
			beginning = beginning || s.Incremental
		case s.Given.Owner.Key == own.Key:
			own.Account = cmp.Or(own.Account, s.Given.Owner.Account)
		case s.Given.Owner.Account != "":
			doubtful = true
		}
	}
	if !doubtful && (!beginning || own.Account != "") {
		return own, nil
	}
	account, err := r.reader.Client.Get(ctx, "/v1/account", nil)
	switch {
	case emit.EndsRead(err):
		return own, err
	case err == nil && account.ID != "":
		own.Account = account.ID
	default:
		return own, nil // such a key may read the rest all the same
	}
	var violations []connector.Violation
	for _, s := range r.streams {
		if s.Given != nil && s.Given.Owner.Account != "" && s.Given.Owner.Account != own.Account {
			violations = append(violations, connector.Violation{
				Field: s.GivenAs,
				Description: fmt.Sprintf("of %s is of account %s, and the key is of %s: use a key of that account, or leave the state out to read the stream from the beginning.",
					s.Row.Name, s.Given.Owner.Account, own.Account),
			})
		}
	}
	if violations != nil {
		return own, connector.Invalid(violations...)
	}
	return own, nil
}

// hashKey returns 48 bits of a hash of a key, which tell it apart from others and reveal nothing of it.
func hashKey(key string) string {
	sum := sha256.Sum256([]byte("state of " + key))
	return hex.EncodeToString(sum[:6])
}
