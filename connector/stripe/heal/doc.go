// Package heal retries the items that streams have set aside because Stripe could not return them or the sink could not carry them.
//
// An item that can be read is sent, and one that is gone is deleted; neither is set aside any longer. An item that still can't be
// read waits twice as long as before, up to a day. A Read retries a bounded number of items when it begins. A Read with Follow
// repeats that.
package heal
