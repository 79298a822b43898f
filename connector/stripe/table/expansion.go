package table

import "strings"

// Expansion is something that Stripe includes in an object only on request, with expand[] (https://docs.stripe.com/expand):
// an object in place of its id, or a field that is otherwise omitted.
type Expansion struct {
	// Steps lead to it, and each is expanded: the first step of "latest_charge.balance_transaction" is the latest charge.
	Steps []Step
}

// Step is one part of an Expansion.
type Step struct {
	Path     string // in the object
	Includes bool   // whether the field is omitted unless expanded, as opposed to holding an id
}

// Path returns the path to expand.
func (e Expansion) Path() string { return e.Steps[len(e.Steps)-1].Path }

// Below returns e relative to an object that contains its object at path.
func (e Expansion) Below(path string) Expansion {
	steps := make([]Step, len(e.Steps))
	for i, step := range e.Steps {
		steps[i] = Step{Path: path + "." + step.Path, Includes: step.Includes}
	}
	return Expansion{Steps: steps}
}

// maxLevels is the maximum depth to which Stripe expands a list: data.a.b.c (https://docs.stripe.com/expand#deep-expansion).
const maxLevels = 4

// Fits reports whether e can be expanded in a list of objects.
func (e Expansion) Fits() bool { return strings.Count(e.Path(), ".")+2 <= maxLevels }

// Expansion returns the expansion that includes a stream in its parent's list. It reports false if none is needed.
func (s *Stream) Expansion() (Expansion, bool) {
	// An array of ids is always present. A list or an object is not.
	return Expansion{Steps: []Step{{Path: s.Embedded, Includes: !s.Inline}}}, s.Expand
}

// Holder returns the path in the parent's object at which the stream's objects are found.
func (s *Stream) Holder() string {
	if s.Inline || s.Single {
		return s.Embedded
	}
	return s.Embedded + ".data"
}
