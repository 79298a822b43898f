// Package ledger remembers which events of a period have been applied. Its size depends on the length of that period, not on the
// number of events.
//
// Events become visible some time after their creation, in any order. A sweep therefore re-lists the time before the end of the
// last sweep, the overlap, and has to know which of the listed events are new. For each second of the overlap, a [Ledger] keeps
// the number of applied events and the XOR of hashes of their ids. When the second is re-listed:
//
//   - If number and XOR match, every listed event was applied before.
//   - If events were added, the ledger searches for the ones whose removal restores the XOR. It finds up to two among thousands of
//     others, and any number of them where a hash has about as many bits as the second has events.
//   - Otherwise, all events of that second count as new. That is harmless, because the caller applies changes by object.
//
// A wrong result requires two sets of events with the same XOR. The probability is below 2^-48 for each second that has changed.
// The ledger never mistakes a new event for an applied one for lack of space.
//
// In memory, a ledger also knows up to 131,072 of the newest events individually. It depends on number and XOR only after a resume.
//
// # Size
//
// A second with events takes some 20 bytes of JSON: about 6 KB for 300 seconds. Seconds older than 340 seconds are
// merged into spans, wider ones the older they are. So an overlap of an hour takes about 8 KB, and one of a day 10 KB. A sweep that
// lists only part of a span can't use what is known about it; see [Ledger.Boundary].
//
// # Cadence
//
// Listing the whole overlap in every sweep would cost several times as many requests as the new events alone. An event created in
// second a and visible by a + overlap requires only two listings of a: one when a is new, and one at a + overlap or later.
// [Cadence.Plan] plans these. It fills the pages that are requested anyway with the near past, where most late events are:
//
//   - Every sweep lists the time since the last one, and as much before it as fits onto the same pages or costs at most 35 %
//     more. Below 20 events per second and sweeps every 5 seconds, that is the near past; below a third of an event per second,
//     it is the whole overlap.
//   - Seconds whose overlap has passed are listed once more when they fill 10 pages, or after a tenth of the overlap. Then they
//     are settled.
//   - Events that wait to be applied again are listed together with other seconds if possible, and at the latest a tenth of the
//     overlap after the first of them was due.
//
// An event that becomes visible within the overlap is applied by the first sweep that begins 1.1 × overlap + 1 second or more after
// its creation, at any rate of events. With the default overlap and follow, that is within 336 seconds. Scheduled syncs follow the
// same plan: what one sync postpones is in its state, and the next one starts with it. The plan takes at most 1.2 times the
// requests of two listings of each second.
package ledger
