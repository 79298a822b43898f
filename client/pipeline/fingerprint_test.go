package pipeline_test

import (
	"testing"

	"github.com/stripe-connector/stripe-connector/client/pipeline"
)

// TestFingerprint checks that the fingerprint changes with each field of a pipeline, and with nothing else.
func TestFingerprint(t *testing.T) {
	const head = "pipelines:\n  acme:\n    "
	const base = "config: {api_key: '${KEY}'}\n    destination: sqlite:a.db\n"
	fingerprint := func(content string) string {
		t.Helper()
		f := parse(t, "p.yaml", content)
		return append(append([]pipeline.Pipeline{}, f.Pipelines...), f.Paused...)[0].Fingerprint()
	}
	want := fingerprint(head + base)
	same := map[string]string{
		"other order":   head + "destination: 'sqlite:a.db'\n    config:\n      api_key: ${KEY}\n",
		"other name":    "pipelines:\n  zebra:\n    " + base,
		"paused":        head + base + "    paused: true\n",
		"the defaults":  head + base + "    schedule: {every: 30m}\n    retry: {attempts: 3, wait: 30s}\n",
		"other run log": head + base + "run_log: other.db\n",
	}
	for name, content := range same {
		if got := fingerprint(content); got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
	seen := map[string]string{want: "base"}
	for name, content := range map[string]string{
		"key":         head + "config: {api_key: '${OTHER}'}\n    destination: sqlite:a.db\n",
		"config":      head + "config: {api_key: '${KEY}', start_date: 2024-01-31}\n    destination: sqlite:a.db\n",
		"destination": head + "config: {api_key: '${KEY}'}\n    destination: {env: URL}\n",
		"select":      head + base + "    select: [charges]\n",
		"exclude":     head + base + "    exclude: [charges]\n",
		"fields":      head + base + "    fields: {charges: [id]}\n",
		"every":       head + base + "    schedule: {every: 1h}\n",
		"anchor":      head + base + "    schedule: {every: 30m, anchor: '00:00'}\n",
		"cron":        head + base + "    schedule: {cron: '0 0 * * *'}\n",
		"zone":        head + base + "    schedule: {cron: '0 0 * * *', time_zone: Europe/Berlin}\n",
		"follow":      head + base + "    schedule: follow\n",
		"attempts":    head + base + "    retry: {attempts: 4}\n",
		"wait":        head + base + "    retry: {wait: 31s}\n",
	} {
		got := fingerprint(content)
		if other, taken := seen[got]; taken {
			t.Errorf("%s has the fingerprint of %s", name, other)
		}
		seen[got] = name
	}
}
