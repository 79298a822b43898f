package stripetest

import "fmt"

// Emit adds an event of any type now, even one that Stripe does not document, about an object in its current state. The edits
// apply to the event, not to the object. As at Stripe, the payload of invoice.upcoming has no id.
//
//	stripe.Emit("invoice.upcoming", invoice)
//	stripe.Emit("customer.levitated", customer)
//	stripe.Emit("wallet.created", customer, stripetest.Edit{Property: "data.object", JSON: `{"id":"w_1","object":"wallet"}`})
func (a *Account) Emit(kind, id string, edits ...Edit) (event string, err error) {
	a.stripe.lock.Lock()
	defer a.stripe.lock.Unlock()
	t, ok := a.find(id)
	if !ok || kind == "" {
		return "", fmt.Errorf("emit %q: no such object: %q", kind, id)
	}
	if kind == "invoice.upcoming" {
		edits = append([]Edit{{Property: "data.object.id"}}, edits...)
	}
	added := a.addEvent(kind, t, t.store.revision(t.ordinal), uint32(a.stripe.now()))
	if len(edits) > 0 {
		a.distort(added, edits)
	}
	return added.store.id(added.ordinal), nil
}
