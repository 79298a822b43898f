package stripetest

import (
	"fmt"
	"slices"
)

// reconciling is the number of seconds until Stripe knows every balance transaction of an automatic payout
// (https://docs.stripe.com/payouts/reconciliation).
const reconciling = 2 * 24 * 3600

// isAutomatic reports whether a payout was made by a schedule. Stripe knows the transactions of automatic payouts only.
func (t ref) isAutomatic() bool { return t.scalar("automatic") == "true" }

// isReconciled reports whether the transactions of an automatic payout are all known.
func (t ref) isReconciled(now int64) bool { return now >= int64(t.store.time(t.ordinal))+reconciling }

// isPaidOut reports whether an automatic payout has paid out a balance transaction, which must have been available
// (https://docs.stripe.com/payouts#payout-schedule).
func (t ref) isPaidOut(now int64) bool {
	payout, ok := t.store.resolve(t.ordinal, t.store.kind.relation("payout"))
	return ok && payout.isAutomatic() && now >= int64(payout.store.time(payout.ordinal))
}

// paidOut returns the known balance transactions of a payout: every other one until the payout is reconciled, and none if
// the payout was replaced.
func (a *Account) paidOut(payout ref) []int32 {
	if _, replaced := a.replaced[payout]; replaced || !payout.isAutomatic() {
		return nil
	}
	transactions := a.stores["balance_transaction"]
	list := transactions.pointing("payout", payout)
	for failed, by := range a.replaced {
		if by == payout {
			list = append(list, transactions.pointing("payout", failed)...)
		}
	}
	if !payout.isReconciled(a.stripe.now()) {
		list = slices.DeleteFunc(list, func(ordinal int32) bool { return ordinal%2 == 1 })
	}
	slices.SortFunc(list, transactions.before)
	return slices.DeleteFunc(list, func(ordinal int32) bool { return !transactions.listed(ordinal, a.stripe.now()) })
}

// PaidOut returns the ids of the balance transactions that Stripe currently lists for a payout.
func (a *Account) PaidOut(payout string) []string {
	a.stripe.lock.RLock()
	defer a.stripe.lock.RUnlock()
	t, ok := a.stores["payout"].find(payout)
	if !ok {
		return nil
	}
	var ids []string
	for _, ordinal := range a.paidOut(t) {
		ids = append(ids, a.stores["balance_transaction"].id(ordinal))
	}
	return ids
}

// ReplacePayout makes an automatic payout fail. It creates another one that pays out the same balance transactions, and returns
// its id.
func (a *Account) ReplacePayout(payout string) (replacement string, err error) {
	a.stripe.lock.Lock()
	defer a.stripe.lock.Unlock()
	failed, ok := a.stores["payout"].find(payout)
	if !ok || !failed.isAutomatic() || a.replaced[failed].store != nil {
		return "", fmt.Errorf("replace payout %q: it is no automatic payout, or was replaced before", payout)
	}
	failed.store.revise(failed.ordinal, -1)
	t, err := a.create(a.stores["payout"], Fields{"automatic": true})
	if err != nil {
		return "", fmt.Errorf("replace payout %q: %w", payout, err)
	}
	if a.replaced == nil {
		a.replaced = map[ref]ref{}
	}
	a.replaced[failed] = t
	a.emit("payout.failed", failed, failed.store.revision(failed.ordinal), uint32(a.stripe.now()))
	return t.store.id(t.ordinal), nil
}

// announceReconciliation emits the event for the time at which all of an automatic payout's transactions are known.
func (a *Account) announceReconciliation(t ref) {
	if t.store.kind.name == "payout" && t.isAutomatic() {
		a.emit("payout.reconciliation_completed", t, t.store.revision(t.ordinal), t.store.time(t.ordinal)+reconciling)
	}
}
