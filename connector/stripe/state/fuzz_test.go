package state

import (
	"encoding/json"
	"testing"
)

// FuzzState checks that every state is either rejected or survives being written and parsed again.
func FuzzState(f *testing.F) {
	for _, seed := range []string{
		``, `{}`, `null`, `{"version":1}`, `{"version":2}`,
		`{"version":1,"mode":"test","generation":1,"from":"2023-06-15T00:00:00Z","to":"2024-06-15T12:00:00Z","pass":{"id":"A","sequence":0,"streams":1},"windows":[]}`,
		`{"version":1,"mode":"test","generation":1,"from":"2023-06-15T00:00:00Z","to":"2024-06-15T12:00:00Z","pass":{"id":"A","sequence":2,"streams":2,"since":{"id":"B","sequence":1}},` +
			`"windows":[{"from":"2023-06-15T00:00:00Z","to":"2024-06-15T12:00:00Z","after":"in_1","at":"2024-05-04T08:15:00Z"}]}`,
		`{"version":2,"mode":"test","generation":1,"from":"2023-06-15T00:00:00Z","to":"2024-06-15T12:00:00Z","pass":{"id":"A","sequence":0,"streams":1},"windows":[],` +
			`"pending":"2024-06-01T00:00:00Z","changes":{"from":"2024-06-15T11:00:00Z","until":"2024-06-15T12:00:00Z","seen":["aGVsbG8x"],"reread":"2024-06-15T12:00:01Z"},` +
			`"owner":{"account":"acct_1","key":"0123456789ab"}}`,
		withSetAside(`{"id":"ch_1",` + attempted + `},{"id":"in_1","of":"invoices",` + attempted + `},{"id":"il_1","parent":"in_1",` + attempted + `},{"id":"ch_1","via":"charge",` + attempted + `},` +
			`{"from":"2024-06-01T00:00:00Z","to":"2024-06-01T00:00:01Z",` + attempted + `}`),
		`{"version":1,"mode":"test","generation":1,"from":"0000-01-01T00:00:00+12:00","to":"9999-12-31T23:00:00-12:00","pass":{"id":"A","sequence":0,"streams":1},"windows":[]}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		s, err := Parse(raw, "test", testNow)
		if err != nil {
			return
		}
		for _, w := range s.Windows {
			if w.From < s.From || w.To > s.To || w.From > w.To {
				t.Fatalf("%s has the window %+v", raw, w)
			}
		}
		text, err := json.Marshal(s)
		if err != nil {
			t.Fatalf("%s can't be marshaled again: %v", raw, err)
		}
		again, err := Parse(text, "test", testNow)
		if err != nil {
			t.Fatalf("%s was marshaled as %s, which is rejected: %v", raw, text, err)
		}
		if rewritten, err := json.Marshal(again); err != nil || string(rewritten) != string(text) {
			t.Fatalf("%s was parsed and marshaled again as %s, %v", text, rewritten, err)
		}
	})
}
