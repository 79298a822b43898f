package table

import "strings"

// Expansion is something that Stripe shows in an object only if it is asked to, with expand[]
// (https://docs.stripe.com/expand): an object that a field otherwise names by its id, or a field that is otherwise omitted.
type Expansion struct {
	// Steps lead to it. Each is expanded, too: of "latest_charge.balance_transaction", the latest charge is the first.
	Steps []Step
}

// Step is one part of an Expansion.
type Step struct {
	Path     string // in the object
	Includes bool   // whether the field is omitted unless it is expanded, instead of containing an id
}

// Path returns what to expand.
func (e Expansion) Path() string { return e.Steps[len(e.Steps)-1].Path }

// Below returns e as seen from an object that has the other one at a path.
func (e Expansion) Below(path string) Expansion {
	steps := make([]Step, len(e.Steps))
	for i, step := range e.Steps {
		steps[i] = Step{Path: path + "." + step.Path, Includes: step.Includes}
	}
	return Expansion{Steps: steps}
}

// maxLevels is how many levels of a list Stripe expands: data.a.b.c (https://docs.stripe.com/expand#deep-expansion).
const maxLevels = 4

// Fits reports whether e can be expanded in the objects of a list.
func (e Expansion) Fits() bool { return strings.Count(e.Path(), ".")+2 <= maxLevels }

// Expansion returns how a stream is expanded in the objects of its parent's list; false if it is not.
func (s *Stream) Expansion() (Expansion, bool) {
	// An array of ids is there in any case, a list or an object is not.
	return Expansion{Steps: []Step{{Path: s.Embedded, Includes: !s.Inline}}}, s.Expand
}

// Holder returns the path of the objects of a stream in its parent's object.
func (s *Stream) Holder() string {
	if s.Inline || s.Single {
		return s.Embedded
	}
	return s.Embedded + ".data"
}
