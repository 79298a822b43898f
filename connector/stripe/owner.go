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
	"github.com/stripe-connector/stripe-connector/connector/stripe/api"
	"github.com/stripe-connector/stripe-connector/connector/stripe/selected"
	"github.com/stripe-connector/stripe-connector/connector/stripe/state"
)

// accountPath is the endpoint that returns the key's own account (https://docs.stripe.com/api/accounts/retrieve).
const accountPath = "/v1/account"

// ownAccount is the value of [state.Owner.Reads] if the key's own account was read rather than a connected one.
const ownAccount = "own"

// verifyOwner returns the owner of the data, and rejects states that belong to another account. If Stripe can't be reached, it also
// returns that failure.
//
// A state names the account it was read from and the key it was last read with. The configuration must name the same
// account, with that key or another key of the same account. The account is requested from Stripe only if an
// incremental stream starts without a state, or if a state can't be verified without that request.
func (r *read) verifyOwner(ctx context.Context, streams []*selected.Stream) (owner state.Owner, failure *connector.Failure, err error) {
	own := state.Owner{Key: hashKey(r.config.APIKey.Reveal()), Reads: cmp.Or(r.config.Account, ownAccount)}
	hasNew, unverified := false, false
	for _, s := range streams {
		switch {
		case s.Given == nil:
			hasNew = true
		case s.Given.Owner == state.Owner{}: // written by a release that did not record the owner
		case s.Given.Owner.Key == own.Key && s.Given.Owner.Reads == own.Reads:
			own.Account = cmp.Or(own.Account, s.Given.Owner.Account)
		default:
			unverified = true
		}
	}
	if r.reader.Client.IsSynced() && !unverified && (!hasNew || own.Account != "") {
		return own, nil, nil
	}
	known, err := r.requestAccount(ctx)
	own.Account = cmp.Or(known, own.Account)
	if emit.EndsRead(err) || unverified && err != nil && !isRefusal(err) {
		return own, nil, err // the account is unknown for now: retry later rather than reject the states
	}
	if api.IsUnreachable(err) {
		failure = connector.AsFailure(err)
	}
	var violations []connector.Violation
	for _, s := range streams {
		if problem := mismatch(s, own, known); problem != "" {
			violations = append(violations, connector.Violation{Field: s.GivenPath, Description: "the state of " + s.Row.Name + " " + problem})
		}
	}
	if violations != nil {
		return own, nil, connector.Invalid(violations...)
	}
	return own, failure, nil
}

// mismatch describes why the state of s can't be resumed by own, or returns "" if it can. known is the account id
// that Stripe reported, or "" if it could not be determined.
func mismatch(s *selected.Stream, own state.Owner, known string) string {
	if s.Given == nil || s.Given.Owner == (state.Owner{}) {
		return ""
	}
	given := s.Given.Owner
	const remedy = ", or omit the state to read the stream from the beginning."
	switch {
	case given.Reads != "" && given.Reads != own.Reads:
		return fmt.Sprintf("is for %s, but this configuration reads %s: configure the same account%s", accountName(given.Reads), accountName(own.Reads), remedy)
	case given.Key == own.Key && given.Reads == own.Reads:
		return ""
	case known == "" && given.Key == own.Key:
		return "" // an earlier release did not record which account was read, and this key can't read its account
	case known == "" || given.Account == "":
		return "was read with another API key, and this key can't read its account, so they can't be compared: grant this key read access to its account (" + accountPath + "), use the previous key" + remedy
	case given.Account != known:
		return fmt.Sprintf("belongs to account %s, but the key belongs to %s: use a key of %s%s", given.Account, known, given.Account, remedy)
	}
	return ""
}

// accountName describes the account that a state or a configuration reads.
func accountName(account string) string {
	if account == ownAccount {
		return "the key's own account"
	}
	return "account " + account
}

// accountID matches an account id in a message.
var accountID = regexp.MustCompile(`\bacct_[0-9A-Za-z]+\b`)

// requestAccount returns the id of the account that is read, or "" and an error if it can't be determined. A
// restricted key without access to the account finds the id in Stripe's error message
// (https://docs.stripe.com/keys#limit-access).
func (r *read) requestAccount(ctx context.Context) (string, error) {
	account, err := r.reader.Client.Get(ctx, accountPath, nil)
	if failure, ok := connector.FailureIn(err); ok && failure.Class == connector.PermissionError {
		if id := accountID.FindString(failure.Message + " " + failure.Internal); id != "" {
			return id, nil
		}
	}
	return account.ID, err
}

// isRefusal reports whether err is permanent, such as a missing permission.
func isRefusal(err error) bool {
	failure, ok := connector.FailureIn(err)
	return ok && !failure.Retryable
}

// hashKey returns 48 bits of a hash of the key: enough to tell keys apart, too little to reveal anything about one.
func hashKey(key string) string {
	sum := sha256.Sum256([]byte("state of " + key))
	return hex.EncodeToString(sum[:6])
}
