package rows

import (
	"fmt"
	"strings"
)

// Unchanged returns the statements that remove, in append mode, the versions that arrived after a given number and equal the
// version before them, so that re-reading an unchanged object adds no version. The first statement moves the earlier version
// to the generation of the later one; repeat it until it changes nothing. The second removes the later version. Both are ""
// for a table without keys. Name must be quoted already. After is the placeholder of the number. _extra is compared as text.
func (t *Table) Unchanged(name, after string) (lift, remove string) {
	if t.Keys == 0 {
		return "", ""
	}
	var same, equal []string
	for _, key := range t.PrimaryKey() {
		same = append(same, fmt.Sprintf("q.%[1]s = r.%[1]s", Quote(key)))
	}
	for _, c := range t.Names()[t.Keys:] {
		equal = append(equal, fmt.Sprintf("r.%[1]s IS NOT DISTINCT FROM p.%[1]s", Quote(c)))
	}
	equal = append(equal, "CAST(r._extra AS text) IS NOT DISTINCT FROM CAST(p._extra AS text)")
	pairs := fmt.Sprintf(`FROM %[1]s AS r JOIN %[1]s AS p ON p._arrival = (SELECT max(q._arrival) FROM %[1]s AS q WHERE %[2]s AND q._arrival < r._arrival)
WHERE r._arrival > %[3]s AND r._operation = p._operation AND (r._operation = 'DELETE' OR %[4]s)`,
		name, strings.Join(same, " AND "), after, strings.Join(equal, " AND "))
	lift = fmt.Sprintf(`UPDATE %[1]s AS v SET _generation = x.generation FROM (SELECT p._arrival AS arrival, max(r._generation) AS generation %[2]s
GROUP BY p._arrival) AS x WHERE v._arrival = x.arrival AND v._generation < x.generation`, name, pairs)
	return lift, fmt.Sprintf("DELETE FROM %s WHERE _arrival IN (SELECT r._arrival %s)", name, pairs)
}
