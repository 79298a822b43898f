// Package rawjson cuts, looks up and selects parts of JSON without decoding the rest.
//
// [Cutter.CutList] validates, compacts and cuts a list response of Stripe in one pass over its bytes, and is quick where an
// object looks like the one before; everything else works on such compact, valid JSON and trusts it. Numbers, escapes (but
// for halves of surrogate pairs) and the order of members stay as the source wrote them, so a field that nobody has seen
// before passes through whole.
package rawjson
