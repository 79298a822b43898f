//go:build service

package destination_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stripe-connector/stripe-connector/client/destination"
)

func TestOpenWithoutDatabases(t *testing.T) {
	for _, name := range []string{
		"sqlite:stripe.db", "sqlite:", "postgres://me:pa55word@127.0.0.1/db", "postgresql://me@127.0.0.1/db?password=pa55word%zz",
	} {
		_, err := destination.Open(t.Context(), name)
		if !errors.Is(err, destination.ErrNoDatabases) || strings.Contains(err.Error(), "pa55word") {
			t.Errorf("open %s: got %v", name, err)
		}
	}
	d, err := destination.Open(t.Context(), "jsonl:"+t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff([]string{"jsonl:folder"}, destination.Examples()); diff != "" {
		t.Errorf("examples (-want +got):\n%s", diff)
	}
}
