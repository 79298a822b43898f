// Package heal tries again to read what streams go on without, because Stripe could not show it, or the sink not carry it.
//
// What can be read is sent, and what is gone is deleted: the stream goes on with it. What still cannot be read waits twice as
// long as before, up to a day. Of what is due, a Read tries a bounded number at its beginning, and one that follows again and
// again.
package heal
