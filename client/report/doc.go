// Package report summarizes a run log: what each pipeline and stream extracted and loaded over some days, how long that took,
// and how fresh the rows are. A [Report] can be marshaled to JSON; [Report.WriteHTML] writes it as a self-contained page that
// needs neither a server nor the network.
package report
