// Package plan turns a request into work: which streams are selected, where each resumes, and which endpoints are to be read
// for them. It does no I/O.
//
// Streams of one endpoint that begin together, or that one pass left behind, are read together: that is a [Part]. Children
// that are embedded in a parent's page cost nothing then.
package plan
