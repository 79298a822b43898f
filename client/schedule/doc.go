// Package schedule computes when a pipeline runs next. It has no clock: callers pass the current time.
//
// There are four kinds of schedule:
//
//   - follow: the pipeline never ends, but loads changes as they happen
//   - an interval, counted from when the previous run was due; an overdue run starts at once
//   - an interval with an anchor: runs are due at the anchor plus any whole number of intervals
//   - a cron expression in a time zone
//
// If a run takes longer than the time to the next one, the slots that it overran are skipped, and the schedule
// continues with the first slot after its end, as in Stitch:
// https://www.stitchdata.com/docs/replication/replication-scheduling/anchor-scheduling
package schedule
