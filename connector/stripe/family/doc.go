// Package family turns Stripe objects into records: it turns a page of one endpoint into the records of its stream and of
// all descendant streams.
//
// A [Member] is an endpoint together with those descendants that lead to a selected stream. A [Reader] creates a [Gatherer]
// for each page, which collects the records in a [Harvest]. Children that are embedded in their parent cost no request;
// only the others do. Objects are decoded no further than necessary: a record is the bytes that Stripe sent, compacted.
package family
