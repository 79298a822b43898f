package rows_test

import (
	"strings"
	"testing"

	"github.com/stripe-connector/stripe-connector/client/destination/internal/rows"
)

func TestLost(t *testing.T) {
	was := rows.Identity{ID: "a", Columns: []string{"id", "n", "_account"}, Filled: true}
	tests := map[string]struct {
		now     rows.Identity
		missing bool
		want    string
	}{
		"the same":          {now: was},
		"a user's column":   {now: rows.Identity{ID: "a", Columns: []string{"id", "mine", "n", "_account", "yours"}, Filled: true}},
		"dropped":           {missing: true, want: "Table t is gone"},
		"replaced":          {now: rows.Identity{ID: "b", Columns: was.Columns, Filled: true}, want: "replaced it"},
		"made by hand":      {now: rows.Identity{Columns: was.Columns, Filled: true}, want: "replaced it"},
		"emptied":           {now: rows.Identity{ID: "a", Columns: was.Columns}, want: "Table t is empty"},
		"column dropped":    {now: rows.Identity{ID: "a", Columns: []string{"id", "_account"}, Filled: true}, want: "Column n of table t is gone"},
		"ours dropped":      {now: rows.Identity{ID: "a", Columns: []string{"id", "n"}, Filled: true}, want: "Column _account of table t is gone"},
		"column made again": {now: rows.Identity{ID: "a", Columns: []string{"id", "_account", "n"}, Filled: true}, want: "Column n of table t is not the one"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := was.LossReason("t", test.now, test.missing)
			if (got == "") != (test.want == "") || !strings.Contains(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
	if got := (rows.Identity{ID: "a"}).LossReason("t", rows.Identity{ID: "a"}, false); got != "" {
		t.Errorf("a table that never had rows is lost: %s", got)
	}
}
