// Package pipeline runs syncs by a file of pipelines: which account into which destination, how often. [Parse] reads the
// file, strictly; a [Runner] runs what is in it, at most one run of a pipeline at a time whatever else runs on the machine,
// and logs each run.
package pipeline
