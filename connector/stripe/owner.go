package stripe

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/emit"
	"github.com/stripe-connector/stripe-connector/connector/stripe/selected"
	"github.com/stripe-connector/stripe-connector/connector/stripe/state"
)

// accountPath is the endpoint that says whose key it is (https://docs.stripe.com/api/accounts/retrieve).
const accountPath = "/v1/account"

// ownAccount stands for the key's own account in a state that says which account was read.
const ownAccount = "own"

// verifyOwner returns whose data the Read is about, and refuses states of another account. The owner in a state is
// authoritative: the same account must be configured, and the key must be the one that the state was last read with, or of the
// same account. The account is requested when an incremental stream begins, and when a key or a state can't be verified without.
func (r *read) verifyOwner(ctx context.Context, streams []*selected.Stream) (state.Owner, error) {
	own := state.Owner{Key: hashKey(r.config.APIKey.Reveal()), Reads: cmp.Or(r.config.Account, ownAccount)}
	beginning, doubtful := false, false
	for _, s := range streams {
		switch {
		case s.Given == nil:
			beginning = true
		case s.Given.Owner == state.Owner{}: // of a release that noted none
		case s.Given.Owner.Key == own.Key && s.Given.Owner.Reads == own.Reads:
			own.Account = cmp.Or(own.Account, s.Given.Owner.Account)
		default:
			doubtful = true
		}
	}
	if r.reader.Client.Synced() && !doubtful && (!beginning || own.Account != "") {
		return own, nil
	}
	known, err := r.requestAccount(ctx)
	own.Account = cmp.Or(known, own.Account)
	if emit.EndsRead(err) || doubtful && err != nil && !isRefusal(err) {
		return own, err // whether to trust the states can be found out later
	}
	var violations []connector.Violation
	for _, s := range streams {
		if problem := mismatch(s, own, known); problem != "" {
			violations = append(violations, connector.Violation{Field: s.GivenAs, Description: "of " + s.Row.Name + " " + problem})
		}
	}
	if violations != nil {
		return own, connector.Invalid(violations...)
	}
	return own, nil
}

// mismatch returns what is wrong with the state of a stream, read by own, if Stripe says that the account is known; empty if
// nothing is.
func mismatch(s *selected.Stream, own state.Owner, known string) string {
	if s.Given == nil || s.Given.Owner == (state.Owner{}) {
		return ""
	}
	given := s.Given.Owner
	const remedy = ", or leave the state out to read the stream from the beginning."
	switch {
	case given.Reads != "" && given.Reads != own.Reads:
		return fmt.Sprintf("was read with %s, and this configuration reads %s: configure the same account%s", reads(given.Reads), reads(own.Reads), remedy)
	case given.Key == own.Key && given.Reads == own.Reads:
		return ""
	case known == "" && given.Key == own.Key:
		return "" // an earlier release did not note which account was read, and this key may not say
	case known == "" || given.Account == "":
		return "was read with another key, and whether this one is of the same account can't be found out: give it the permission to read its account (" + accountPath + "), use the key of before" + remedy
	case given.Account != known:
		return fmt.Sprintf("is of account %s, and the key is of %s: use a key of that account%s", given.Account, known, remedy)
	}
	return ""
}

// reads names which account is read.
func reads(account string) string {
	if account == ownAccount {
		return "no account, so the key's own"
	}
	return "account " + account
}

// accountID is an account's id in a text.
var accountID = regexp.MustCompile(`\bacct_[0-9A-Za-z]+\b`)

// requestAccount returns the id of the account that is read; empty, with an error, if it can't be found out. A restricted key
// that may not read the account learns its id from the refusal (https://docs.stripe.com/keys#limit-access).
func (r *read) requestAccount(ctx context.Context) (string, error) {
	account, err := r.reader.Client.Get(ctx, accountPath, nil)
	if failure, ok := connector.FailureIn(err); ok && failure.Class == connector.PermissionError {
		if id := accountID.FindString(failure.Message + " " + failure.Internal); id != "" {
			return id, nil
		}
	}
	return account.ID, err
}

// isRefusal reports whether err says that the key may not read what was requested.
func isRefusal(err error) bool {
	failure, ok := connector.FailureIn(err)
	return ok && !failure.Retryable
}

// hashKey returns 48 bits of a hash of a key, which tell it apart from others and reveal nothing of it.
func hashKey(key string) string {
	sum := sha256.Sum256([]byte("state of " + key))
	return hex.EncodeToString(sum[:6])
}
