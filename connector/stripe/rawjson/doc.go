// Package rawjson cuts JSON into parts, looks up values and selects fields, without decoding the rest.
//
// [Cutter.CutList] validates a list response of Stripe, compacts it and cuts it into objects, all in one pass over its
// bytes. It is especially fast if an object has the same form as the one before. Everything else in the package works on
// such compact, valid JSON without validating it again. Numbers, escapes (except halves of surrogate pairs) and the order
// of members remain as the source wrote them, so unknown fields pass through unchanged.
package rawjson
