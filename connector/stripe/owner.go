package stripe

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/stripe-connector/stripe-connector/connector"
)

// verifyOwner gives whose data the Read is about, and refuses states of another account. The account is asked for when an
// incremental stream begins, and when a state was last read with another key. A key that may not tell is believed.
func (r *run) verifyOwner(ctx context.Context) (owner, error) {
	own := owner{Key: hashKey(r.config.APIKey)}
	beginning, doubtful := false, false
	for _, out := range r.outputs {
		switch {
		case out.given == nil:
			beginning = beginning || out.incremental
		case out.given.Owner.Key == own.Key:
			own.Account = cmp.Or(own.Account, out.given.Owner.Account)
		case out.given.Owner.Account != "":
			doubtful = true
		}
	}
	if !doubtful && (!beginning || own.Account != "") {
		return own, nil
	}
	account, err := r.client.Get(ctx, "/v1/account", nil)
	switch {
	case ends(err):
		return own, err
	case err == nil && account.ID != "":
		own.Account = account.ID
	default:
		return own, nil // such a key may read the rest all the same
	}
	var violations []connector.Violation
	for _, out := range r.outputs {
		if out.given != nil && out.given.Owner.Account != "" && out.given.Owner.Account != own.Account {
			violations = append(violations, connector.Violation{
				Field: out.givenAs,
				Description: fmt.Sprintf("of %s is of account %s, and the key is of %s: use a key of that account, or leave the state out to read the stream from the beginning.",
					out.stream.Name, out.given.Owner.Account, own.Account),
			})
		}
	}
	if violations != nil {
		return own, connector.Invalid(violations...)
	}
	return own, nil
}

// hashKey shortens a key to what tells it apart from others and gives nothing of it away: 48 bits of a hash.
func hashKey(key string) string {
	sum := sha256.Sum256([]byte("state of " + key))
	return hex.EncodeToString(sum[:6])
}
