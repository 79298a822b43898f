// Package ledger remembers which events of a stretch of time have been applied, in a size that depends on the length of that
// stretch and not on the number of events.
//
// Events become visible some time after they were created, in any order. A sweep therefore lists the time before the end of
// the last one again, the overlap, and has to know which of the events there are new. A [Ledger] keeps the number of events
// applied and the XOR of 96-bit hashes of their ids for each second of the overlap. When the second is listed again:
//
//   - If number and XOR agree, every event listed was applied.
//   - If events were added, the ledger finds the ones whose absence restores the XOR: up to two among thousands of others, and
//     any number among a dozen.
//   - Otherwise, all events of that second are new once more. The caller applies changes by object, so that is harmless.
//
// A wrong guess needs two sets of events with the same XOR: the chance is below 2^-64 for each second that has changed. An
// event is never taken for an applied one because the ledger is full.
//
// Beyond what a state holds, a ledger in memory knows the events it was shown one by one, at most the newest 131,072. Only after a resume
// does it depend on number and XOR.
//
// # Size
//
// A second in which there are events takes some 20 bytes of JSON: about 6 KB for 300 seconds. Seconds older than 340 seconds are
// merged into spans, the wider the older, so that an overlap of an hour takes about 8 KB and one of a day 10 KB. A sweep that
// lists only part of a span can't use what is known of it; see [Ledger.Boundary].
//
// # Cadence
//
// Listing the whole overlap in every sweep costs a multiple of what the events themselves cost. An event created at a and
// visible by a + overlap needs just two listings of a: one when a is new, and one at a + overlap or later. [Cadence.Plan]
// returns these, and uses room on pages that are requested anyway for the near past, where nearly all late events are:
//
//   - Every sweep lists the time since the last one, and as much before it as fits onto the same pages or costs at most 35 %
//     more. Below 20 events per second and sweeps every 5 seconds, that is the near past; below a third of an event per second,
//     it is the whole overlap.
//   - Seconds whose overlap has passed are listed once more when they fill 10 pages, or after a tenth of the overlap. Then they
//     are settled.
//   - What awaits another application is listed with other seconds where those include it, or a tenth of the overlap after the
//     first of it was due.
//
// The bound: an event that becomes visible within the overlap is applied by the first sweep that begins after 1.1 × overlap +
// 1 second since its creation, whatever the rate. With the default overlap and follow, that is within 336 seconds. The same plan
// serves scheduled syncs: what one leaves for later is in its state, and the next one begins with it. The number of requests
// stays within 1.2 times that of two listings of each second.
package ledger
