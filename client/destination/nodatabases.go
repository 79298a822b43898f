//go:build service

package destination

// databases gives the kinds of destinations that this build leaves out.
func databases() []scheme {
	return []scheme{{name: "sqlite"}, {name: "postgres"}, {name: "postgresql"}}
}
