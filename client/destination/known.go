package destination

import "slices"

// Known tells whether there is a kind of destinations with this name, such as "sqlite".
func Known(kind string) bool {
	return slices.ContainsFunc(schemes(), func(s scheme) bool { return s.name == kind })
}
