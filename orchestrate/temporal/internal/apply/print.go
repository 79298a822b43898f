package apply

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// PrintJSON prints the plan as indented JSON.
func (p *Plan) PrintJSON(w io.Writer) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(p)
}

// signs mark the changes in a printed plan.
var signs = map[Action]string{Create: "+", Update: "~", Delete: "-"}

// Print prints the plan as text.
func (p *Plan) Print(w io.Writer) error {
	var b strings.Builder
	counts := map[Action]int{}
	for _, c := range p.Changes {
		counts[c.Action]++
		fmt.Fprintf(&b, "%s %s: %s\n", signs[c.Action], c.Pipeline, c.Action)
		for _, f := range c.Fields {
			if c.Action == Update {
				fmt.Fprintf(&b, "    %s: %s → %s\n", f.Name, f.Old, f.New)
			} else {
				fmt.Fprintf(&b, "    %s: %s\n", f.Name, f.New)
			}
		}
	}
	if len(p.Attributes) > 0 {
		fmt.Fprintf(&b, "+ search attributes: register %s (Keyword)\n", strings.Join(p.Attributes, ", "))
	}
	for _, w := range p.Warnings {
		fmt.Fprintf(&b, "! %s\n", w)
	}
	for _, s := range p.Paused {
		fmt.Fprintf(&b, "! %s stays paused: %s\n    resume it with --resume, or with `stripe-connector-temporal resume %s`\n", s.Pipeline, s.Note, s.Pipeline)
	}
	if len(p.Changes) == 0 {
		fmt.Fprintf(&b, "No changes: the schedules of set %s are up to date (%d).\n", p.Set, p.Unchanged)
	} else {
		fmt.Fprintf(&b, "Set %s: %d to create, %d to update, %d to delete, %d unchanged.\n", p.Set, counts[Create], counts[Update], counts[Delete], p.Unchanged)
	}
	_, err := io.WriteString(w, b.String())
	return err
}
