// Package apply makes the schedules of a Temporal namespace equal to those of a pipeline file.
//
// [Make] compares both and returns a [Plan] of what to create, update and delete. [Plan.Apply] does it. Each schedule that
// it creates is marked with the name of a set, so that it never changes or deletes one that belongs to another file or
// to someone else.
//
// Neither undoes what others do meanwhile: a pause that the plan didn't see stays, also if it begins while an update is on its
// way. Calls that fail because Temporal is busy or restarts are retried.
package apply
