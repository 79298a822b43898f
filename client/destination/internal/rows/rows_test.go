package rows_test

import (
	"strings"
	"testing"

	"github.com/stripe-connector/stripe-connector/client/destination/internal/rows"
)

func TestSafeNames(t *testing.T) {
	same := []string{"id", "invoice_line_items", "a1", "default", "order", strings.Repeat("a", 63)}
	for _, name := range same {
		if got := rows.SafeName(name); got != name {
			t.Errorf("%q became %q", name, got)
		}
	}
	changed := []string{"", "ID", "Id", "iD", "1a", "_extra", "_Extra", "_as_of", "a.b", "a b", "a-b", "ä", "ö", "\x00", `a"b`, "sqlite_x",
		"SQLite_x", strings.Repeat("a", 64), strings.Repeat("a", 65), strings.Repeat("ä", 40), "sqlite_", "__", "_"}
	seen := map[string]string{}
	for _, name := range append(same, changed...) {
		got := rows.SafeName(name)
		if other, taken := seen[got]; taken {
			t.Errorf("%q and %q both became %q", name, other, got)
		}
		seen[got] = name
		if got == "" || len(got) > 63 || got[0] == '_' || strings.HasPrefix(got, "sqlite_") || strings.ToLower(got) != got ||
			strings.Trim(got, "abcdefghijklmnopqrstuvwxyz0123456789_") != "" {
			t.Errorf("%q became %q, which is not safe", name, got)
		}
	}
}

func TestWider(t *testing.T) {
	kinds := []rows.Kind{rows.Integer, rows.Real, rows.Boolean, rows.Text, rows.JSON}
	for _, a := range kinds {
		for _, b := range kinds {
			want := rows.Text
			switch {
			case a == b:
				want = a
			case a+b == rows.Integer+rows.Real && a != b && max(a, b) == rows.Real:
				want = rows.Real
			}
			if got := rows.Wider(a, b); got != want {
				t.Errorf("the wider of %s and %s is %s, want %s", a, b, got, want)
			}
		}
	}
}
