// Package family turns objects of Stripe's into records: a page of one endpoint into the records of its stream and of all
// streams below it.
//
// A [Member] is an endpoint with those below it that lead to a selected stream. A [Reader] makes a [Gatherer] per page, which
// collects a [Harvest]: children that are embedded in their parent cost nothing, and only the rest costs requests. Nothing is
// decoded that need not be: an object leaves as the bytes that Stripe sent, compacted.
package family
