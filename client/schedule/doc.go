// Package schedule tells when a pipeline is to run next. It keeps no time itself: whoever asks brings the clock.
//
// A schedule is one of three kinds:
//
//   - an interval: 30 minutes after the run before began, and so on; a run that is overdue begins at once;
//   - an interval with an anchor: on the grid of instants that lie a whole number of intervals after the anchor;
//   - a cron expression in a time zone.
//
// All of them leave out what fell into a run that took longer than the time to the next one, and go on with the instant
// after its end, as Stitch does: https://www.stitchdata.com/docs/replication/replication-scheduling/anchor-scheduling
package schedule
