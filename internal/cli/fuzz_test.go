package cli

import (
	"testing"
)

// FuzzFiles checks that any file of states or of streams is either refused or yields each stream with a name, and the states
// one for each stream and account.
func FuzzFiles(f *testing.F) {
	for _, seed := range []string{
		``, `[]`, `{}`, `{"streams":[{"name":"charges"}]}`, `[{"stream":"charges","fields":["id"]}]`, `{"stream":"a"}{"stream":"b"}`,
		`{"states":[{"stream":"a","content":{"version":1}},{"stream":"a","account":"acct_1"},{"stream":"a"}]}`,
		`{"checkpoint":{"state":{"stream":"a"},"records":"1"}}{"log":{}}`, `[[[]]]`, `{"streams":{}}`, "{\"stream\":\"\xff\"}",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		if streams, err := parseCatalog(content); err == nil {
			for _, s := range streams {
				if s.GetStream() == "" {
					t.Error("a stream has no name")
				}
			}
			if len(streams) == 0 {
				t.Error("there are no streams")
			}
		}
		states, err := parseStates(content)
		if err != nil {
			return
		}
		seen := map[[2]string]bool{}
		for _, s := range states {
			at := [2]string{s.GetStream(), s.GetAccount()}
			if seen[at] {
				t.Errorf("there are two states of %q", at)
			}
			seen[at] = true
		}
	})
}
