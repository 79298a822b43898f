// Package temporal runs the pipelines of a pipeline file on Temporal (https://temporal.io): a workflow for each pipeline, and
// activities that sync it over gRPC into its destination.
//
// It is a module of its own, so that Temporal's dependencies don't reach programs that use the rest of the repository.
package temporal
