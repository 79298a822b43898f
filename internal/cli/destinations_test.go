package cli

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/stripe-connector/stripe-connector/client/destination"
	"github.com/stripe-connector/stripe-connector/client/destination/jsonl"
)

// newService returns a world with the build of the container image, which has no databases.
func newService(t *testing.T) *world {
	t.Helper()
	w := newWorld(t, fakeSource{})
	w.build = Build{Destinations: destination.Kinds{jsonl.Kind()}}
	return w
}

func TestDatabaseCommandsSayWhereTheyAre(t *testing.T) {
	for _, args := range [][]string{
		{"init"}, {"run", "--once", "pipelines.yaml"}, {"runs"}, {"logs", "last"}, {"report", "--help"}, {"demo"},
	} {
		w := newService(t)
		w.runs(t, exitFailure, args...)
		says(t, w.err, "this build does not have the command "+args[0]+": install the full build: go install ")
	}
	w := newService(t)
	w.runs(t, exitOK, "--help")
	says(t, w.out, "\n  serve ")
	for _, cmd := range Databases(newWorld(t, fakeSource{}).app) {
		if strings.Contains(w.out.String(), "\n  "+cmd.Name()+" ") {
			t.Errorf("help lists %s: %s", cmd.Name(), w.out)
		}
		service := newService(t)
		service.runs(t, exitFailure, cmd.Name())
		says(t, service.err, "this build does not have the command "+cmd.Name())
	}
}

func TestSyncWithoutDatabases(t *testing.T) {
	w := newService(t)
	w.environment["STRIPE_API_KEY"] = plantedKey
	w.runs(t, exitFailure, "sync", "--to", "sqlite:"+filepath.Join(t.TempDir(), "fruit.db"))
	says(t, w.err, `unknown kind of destination "sqlite": use a name such as jsonl:folder; if this build lacks that kind, install the full build: go install `)
}

func TestDestinations(t *testing.T) {
	w := newWorld(t, fakeSource{})
	w.runs(t, exitOK, "destinations")
	for _, kind := range w.build.Destinations {
		says(t, w.out, kind.Summary) // not cut to fit
		says(t, w.out, "\n"+kind.Name+" ")
		says(t, w.out, kind.Example+" ")
	}
	service := newService(t)
	service.runs(t, exitOK, "destinations", "--format", "json")
	says(t, service.out, `"example": "jsonl:folder"`)
	if strings.Contains(service.out.String(), "sqlite") {
		t.Errorf("the service has no SQLite, but lists it: %s", service.out)
	}
}
