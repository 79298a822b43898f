package client

// Finding is the result of checking one thing that a sync requires of a destination.
type Finding struct {
	// Subject is what was checked, such as "create tables in schema stripe".
	Subject string
	// Verdict says whether a sync would succeed.
	Verdict Verdict
	// Message says what was found. It may be empty if the verdict is FindingOK.
	Message string
	// Remedy says what to do about it, one step per line. For databases, these are statements to run, such as a GRANT.
	Remedy []string
}

// Verdict says what a Finding means for a sync.
type Verdict string

// The verdicts.
const (
	FindingOK      Verdict = "ok"
	FindingNote    Verdict = "note"    // worth knowing, but not a problem
	FindingProblem Verdict = "problem" // a sync would fail
)
