package destination_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/stripe-connector/stripe-connector/client/destination"
)

func TestOpen(t *testing.T) {
	folder := t.TempDir()
	for _, name := range []string{"sqlite:" + filepath.Join(folder, "a.db"), "jsonl:" + filepath.Join(folder, "lines")} {
		d, err := destination.Open(t.Context(), name)
		if err != nil {
			t.Fatalf("open %s: %v", name, err)
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	tests := map[string]struct{ destination, want string }{
		"no kind":      {"stripe.db", "does not say of which kind it is: write it as sqlite:stripe.db or jsonl:folder"},
		"nothing":      {"", "write it as sqlite:stripe.db or jsonl:folder"},
		"unknown kind": {"mysql:x", `there is no destination of kind "mysql": write it as sqlite:stripe.db`},
		"no path":      {"jsonl:", "names no path: write it as jsonl:folder"},
		"a folder":     {"sqlite:" + t.TempDir(), "is a folder"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := destination.Open(t.Context(), test.destination)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want something with %q", err, test.want)
			}
		})
	}
}
