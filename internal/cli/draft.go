package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"text/template"

	"github.com/stripe-connector/stripe-connector/client/schedule"
)

// draft is the pipeline file that init writes.
type draft struct {
	Name        string
	KeyFile     string // empty if the key is in STRIPE_API_KEY
	Base        string
	Version     string // of Stripe's API; empty for the default
	Start       string
	Select      []string
	Exclude     []string
	Destination string
	Schedule    schedule.Spec
}

// quote returns text as a YAML string, whatever characters it has. It writes JSON, which is valid YAML.
func quote(text string) string {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(text) // a string can't fail
	return strings.TrimSpace(b.String())
}

// literal is like quote, but also escapes "${", so that it isn't read as a reference to a variable.
func literal(text string) string { return quote(strings.ReplaceAll(text, "${", "$${")) }

func list(texts []string) string {
	quoted := make([]string, len(texts))
	for i, t := range texts {
		quoted[i] = quote(t)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

var draftText = template.Must(template.New("pipelines").Funcs(template.FuncMap{"quote": quote, "literal": literal, "list": list}).Parse(
	`# Pipelines of stripe-connector. "stripe-connector run --check" checks this file, "run --schema" prints its JSON Schema.
pipelines:
  {{.Name}}:
    config:
{{- if .KeyFile}}
      api_key: {file: {{quote .KeyFile}}}
{{- else}}
      api_key: ${STRIPE_API_KEY}
{{- end}}
{{- if .Base}}
      api_base: {{literal .Base}}
{{- end}}
{{- if .Version}}
      api_version: {{quote .Version}}
{{- end}}
{{- if .Start}}
      start_date: {{literal .Start}}
{{- end}}
{{- if .Select}}
    select: {{list .Select}}
{{- end}}
{{- if .Exclude}}
    exclude: {{list .Exclude}}
{{- end}}
    destination: {{quote .Destination}}
    schedule:
{{- with .Schedule}}
{{- if .Every}}
      every: {{quote .Every}}
{{- end}}
{{- if .Anchor}}
      anchor: {{quote .Anchor}}
{{- end}}
{{- if .Cron}}
      cron: {{quote .Cron}}
{{- end}}
{{- if .TimeZone}}
      time_zone: {{quote .TimeZone}}
{{- end}}
{{- end}}
`))

// yaml returns the file's content.
func (d *draft) yaml() []byte {
	var b bytes.Buffer
	if err := draftText.Execute(&b, d); err != nil {
		panic(fmt.Sprintf("the template of pipelines: %v", err)) // can't happen: the template is a constant
	}
	return b.Bytes()
}
