package cli

import (
	"bytes"
	"strings"
	"testing"
)

// TestControlCharactersAreReplaced prints texts that would clear the screen, set the title, or reverse the text, as
// Stripe's users could type them.
func TestControlCharactersAreReplaced(t *testing.T) {
	for _, text := range []string{"\x1b[2J", "\x1b]0;title\x07", "\u009b31m", "back\b\bspace", "\u202egnp.exe", "a\rb", "\x7f"} {
		var out bytes.Buffer
		writeLine(&out, "Stripe says: %s", text)
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
