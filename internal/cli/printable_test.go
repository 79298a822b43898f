package cli

import (
	"bytes"
	"strings"
	"testing"
)

// TestTerminalsAreNotCommanded prints texts that would clear the screen, set the title, or reverse the text, as
// Stripe's users could type them.
func TestTerminalsAreNotCommanded(t *testing.T) {
	for _, text := range []string{"\x1b[2J", "\x1b]0;title\x07", "\u009b31m", "back\b\bspace", "\u202egnp.exe", "a\rb", "\x7f"} {
		var out bytes.Buffer
		tell(&out, "Stripe says: %s", text)
		for _, r := range strings.TrimSuffix(out.String(), "\n") {
			if r < ' ' || r >= 0x7f && r < 0xa0 || r == '\u202e' {
				t.Errorf("%q is printed as %q", text, out.String())
			}
		}
	}
	if got := printable("naïve\tcafé\n"); got != "naïve\tcafé\n" {
		t.Errorf("got %q", got)
	}
}
