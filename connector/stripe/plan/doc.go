// Package plan turns a Read request into work: which streams are selected, where each one resumes, and which endpoints to read
// for them. It does no I/O.
//
// Streams of the same endpoint are read together, in a [Part], if they start together or resume the same pass. Children that
// are embedded in their parent's page then cost no extra request.
package plan
