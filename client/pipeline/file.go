package pipeline

import (
	"bytes"
	"cmp"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/stripe-connector/stripe-connector/client"
	"github.com/stripe-connector/stripe-connector/client/schedule"
)

const (
	defaultKeepDays = 90
	defaultAttempts = 3
	defaultWait     = 30 * time.Second
)

// File is a parsed file of pipelines.
type File struct {
	// Path is where it stands. Relative paths in it are taken from its folder.
	Path string
	// Pipelines are in the order of the file; those that are paused are left out.
	Pipelines []Pipeline
	// RunLog is the path of the run log.
	RunLog string
	// Keep is how long runs stay in it.
	Keep time.Duration
}

// Pipeline is one account's way into one destination.
type Pipeline struct {
	Name     string
	Schedule schedule.Schedule
	// Selection says which streams to read.
	Selection client.Selection
	// Attempts is the most runs of one slot, and Wait the time before the second.
	Attempts int
	Wait     time.Duration

	config      map[string]any // with references to secrets, not the secrets
	destination any            // a text, or a reference
	folder      string
}

// document is the file as it is written.
type document struct {
	Pipelines map[string]struct {
		client.Selection
		Config      map[string]any `json:"config"`
		Destination any            `json:"destination"`
		Schedule    schedule.Spec  `json:"schedule"`
		Retry       struct {
			Attempts int    `json:"attempts"`
			Wait     string `json:"wait"`
		} `json:"retry"`
		Paused bool `json:"paused"`
	} `json:"pipelines"`
	RunLog   string `json:"run_log"`
	KeepDays int    `json:"keep_days"`
}

//go:embed pipelines.schema.json
var schemaText []byte

// Schema gives the JSON Schema of the file.
func Schema() []byte { return bytes.Clone(schemaText) }

// Parse reads a file of pipelines that stands at path. Its errors name the line and the path of everything that is wrong,
// and quote no value; they are [Problems].
func Parse(path string, content []byte) (*File, error) {
	tree, problems := parseTree(content)
	if len(problems) == 0 {
		problems = tree.validate()
	}
	if len(problems) > 0 {
		return nil, &Problems{path, problems}
	}
	var d document
	if err := tree.decode(&d); err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	folder := filepath.Dir(path)
	f := &File{Path: path, RunLog: within(folder, d.RunLog), Keep: time.Duration(cmp.Or(d.KeepDays, defaultKeepDays)) * 24 * time.Hour}
	if d.RunLog == "" {
		f.RunLog = strings.TrimSuffix(path, filepath.Ext(path)) + ".runs.db"
	}
	for _, name := range tree.names("pipelines") {
		entry := d.Pipelines[name]
		p := Pipeline{
			Name: name, Selection: entry.Selection, Attempts: cmp.Or(entry.Retry.Attempts, defaultAttempts), Wait: defaultWait,
			config: entry.Config, destination: entry.Destination, folder: folder,
		}
		var err error
		if p.Schedule, err = schedule.Parse(entry.Schedule); err != nil {
			wrong, _ := errors.AsType[*schedule.Error](err)
			problems = append(problems, tree.problem(wrong.Message, "pipelines", name, "schedule", wrong.Field))
		}
		if entry.Retry.Wait != "" {
			if p.Wait, err = time.ParseDuration(entry.Retry.Wait); err != nil || p.Wait <= 0 || p.Wait > longestWait {
				problems = append(problems, tree.problem("is no duration up to 15m: write one such as 30s", "pipelines", name, "retry", "wait"))
			}
		}
		problems = append(problems, tree.checkReferences(entry.Config, "pipelines", name, "config")...)
		problems = append(problems, tree.checkReferences(entry.Destination, "pipelines", name, "destination")...)
		if !entry.Paused {
			f.Pipelines = append(f.Pipelines, p)
		}
	}
	if len(problems) > 0 {
		return nil, &Problems{path, problems}
	}
	return f, nil
}

// within gives a path, taken from the folder if it is relative.
func within(folder, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(folder, path)
}

// Only leaves the pipelines with these names, in their order; all if there is no name.
func (f *File) Only(names []string) error {
	if len(names) == 0 {
		return nil
	}
	var only []Pipeline
	for _, name := range names {
		i := slices.IndexFunc(f.Pipelines, func(p Pipeline) bool { return p.Name == name })
		if i < 0 {
			return fmt.Errorf("there is no pipeline %q in %s, or it is paused: choose of %s", name, f.Path, strings.Join(f.names(), ", "))
		}
		if !slices.ContainsFunc(only, func(p Pipeline) bool { return p.Name == name }) {
			only = append(only, f.Pipelines[i])
		}
	}
	f.Pipelines = only
	return nil
}

func (f *File) names() []string {
	names := make([]string, len(f.Pipelines))
	for i, p := range f.Pipelines {
		names[i] = p.Name
	}
	return names
}

// decode puts the tree into what describes it.
func (t *tree) decode(into any) error {
	content, err := json.Marshal(t.value)
	if err != nil {
		return err
	}
	decoder := json.NewDecoder(bytes.NewReader(content))
	decoder.DisallowUnknownFields() // the schema has found them: this holds the two to each other
	return decoder.Decode(into)
}
