package client

// Finding is what a check of a destination found out about one of the things that a sync relies on.
type Finding struct {
	// Subject is what was checked, such as "create tables in schema stripe".
	Subject string
	// Verdict says whether a sync could do it.
	Verdict Verdict
	// Message says what was found. It may be empty if the verdict is FindingOK.
	Message string
	// Remedy is what to do about it, a line each. Of databases these are statements to run, such as a GRANT.
	Remedy []string
}

// Verdict says what a Finding means for a sync.
type Verdict string

// The verdicts.
const (
	FindingOK      Verdict = "ok"
	FindingNote    Verdict = "note"    // worth knowing, and no obstacle
	FindingProblem Verdict = "problem" // a sync would fail
)
