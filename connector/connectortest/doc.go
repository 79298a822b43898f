// Package connectortest is the contract of package connector as a test suite that any source can run:
//
//	func TestContract(t *testing.T) {
//		connectortest.Test(t, mysource.New(), connectortest.Options{Config: connector.NewConfig(`{"folder": "testdata"}`)})
//	}
//
// The suite knows nothing of the source but its methods. It reads the streams again and again, as a careful and as a
// hostile caller would: it stops Reads between any two messages and resumes them, sends limits and nonsense, is slow,
// fails, panics and cancels. A destination of its own applies the records, so that a lost, stale or superfluous row is
// noticed even where the source says that all is well.
//
// When something is wrong, the suite names the [Promise] that broke, with its sentence and where that is written, and
// what was observed:
//
//	invariant: stopped before message 6 and resumed: 1 rows are missing: orders o4;
//		“A state is sent only after every record that it covers.” (connector.v1.ConnectorService, What a state promises)
//
// The zero [Options] suit a source of constant data that needs no configuration. Each further option adds
// something to work with: data that changes, the truth to compare with, a worker that panics. A check that an absent option
// or capability makes impossible is skipped, and says so.
//
// docs/adding-a-source.md shows the suite at work.
package connectortest
