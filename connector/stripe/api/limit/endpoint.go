package limit

import "strings"

// Endpoint returns the name of the operation that a path belongs to, as Stripe's limits group them: the path with
// "{parent}" for each id in it and "{id}" for an id at its end, so that all GET /v1/charges/{id} are one. Ids are
// recognized by their position, since they can have any form.
func Endpoint(path string) string {
	parts := strings.Split(path, "/") // "", "v1", "charges", "ch_1"
	id := 3
	if len(parts) > 2 && isNamespace(parts[2]) {
		id = 4 // "", "v1", "billing", "meters", "mtr_1"
	}
	if id >= len(parts) {
		return path
	}
	for ; id < len(parts); id += 2 {
		if !isOperation(parts[id]) {
			parts[id] = "{parent}"
			if id == len(parts)-1 {
				parts[id] = "{id}"
			}
		}
	}
	return strings.Join(parts, "/")
}

// isNamespace reports whether the first word of a path is a prefix for several object types.
func isNamespace(word string) bool {
	switch word {
	case "apple_pay", "apps", "balance", "billing", "billing_portal", "checkout", "climate", "entitlements",
		"financial_connections", "forwarding", "identity", "issuing", "radar", "reporting", "sigma", "tax", "terminal",
		"test_helpers", "treasury":
		return true
	}
	return false
}

// isOperation reports whether a word in the position of an id is an operation.
func isOperation(word string) bool {
	switch word {
	case "find", "preview", "search", "upcoming":
		return true
	}
	return false
}
