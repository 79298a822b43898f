// Package report makes loading reports of a log of runs: what each pipeline and stream extracted and loaded over some days,
// how long that took, and how fresh the rows are. A [Report] is data, for JSON; [Report.WriteHTML] makes a page of it that
// needs nothing else, neither a server nor the network.
package report
