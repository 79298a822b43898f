//go:build service

package main

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestCommandsOfDatabasesSayWhereTheyAre(t *testing.T) {
	for _, args := range [][]string{
		{"init"}, {"run", "--once", "pipelines.yaml"}, {"runs"}, {"logs", "last"}, {"report", "--help"}, {"demo"},
	} {
		w := newWorld(t, fakeSource{})
		w.runs(t, exitFailure, args...)
		says(t, w.err, "there is no command "+args[0]+": this build has no databases: use the full one, go install ")
	}
	w := newWorld(t, fakeSource{})
	w.runs(t, exitOK, "--help")
	says(t, w.out, "\n  serve ")
	for _, name := range []string{"init", "run", "demo"} {
		if strings.Contains(w.out.String(), "\n  "+name+" ") {
			t.Errorf("help lists %s: %s", name, w.out)
		}
	}
}

func TestSyncWithoutDatabases(t *testing.T) {
	w := newWorld(t, fakeSource{})
	w.environment["STRIPE_API_KEY"] = plantedKey
	w.runs(t, exitFailure, "sync", "--to", "sqlite:"+filepath.Join(t.TempDir(), "fruit.db"))
	says(t, w.err, "this build has no databases: use the full one, go install ")
}
