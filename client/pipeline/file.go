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

// File is a parsed pipeline file.
type File struct {
	// Path is the path of the file. Relative paths in the file are relative to its directory.
	Path string
	// Pipelines are the pipelines in file order, without paused ones.
	Pipelines []Pipeline
	// Paused are the paused pipelines in file order.
	Paused []Pipeline
	// RunLog is the path of the run log.
	RunLog string
	// Keep is how long the run log keeps runs.
	Keep time.Duration
}

// Pipeline syncs one account into one destination.
type Pipeline struct {
	Name     string
	Line     int // the pipeline's line in the file
	Schedule schedule.Schedule
	// Selection selects the streams to read.
	Selection client.Selection
	// Attempts is the maximum number of runs per slot, unless the pipeline follows. Wait is the time between the first two
	// runs. It doubles with each further one, up to 15 minutes.
	Attempts int
	Wait     time.Duration

	config      map[string]any // with references to secrets, not the secrets themselves
	destination any            // a string or a reference to a secret
	folder      string
}

// document is the structure of the file.
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

// Schema returns the JSON Schema of pipeline files.
func Schema() []byte { return bytes.Clone(schemaText) }

// Parse parses the content of the pipeline file at path. If the file is invalid, the error is a [Problems] that lists
// every problem with its line and field. Problems never quote a value that could be a secret.
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
	f := &File{Path: path, RunLog: resolvePath(folder, d.RunLog), Keep: time.Duration(cmp.Or(d.KeepDays, defaultKeepDays)) * 24 * time.Hour}
	if d.RunLog == "" {
		f.RunLog = strings.TrimSuffix(path, filepath.Ext(path)) + ".runs.db"
	}
	for _, name := range tree.names("pipelines") {
		entry := d.Pipelines[name]
		p := Pipeline{
			Name: name, Line: tree.lines[join([]string{"pipelines", name})], Selection: entry.Selection, Attempts: cmp.Or(entry.Retry.Attempts, defaultAttempts), Wait: defaultWait,
			config: entry.Config, destination: entry.Destination, folder: folder,
		}
		var err error
		if p.Schedule, err = schedule.Parse(entry.Schedule); err != nil {
			wrong, _ := errors.AsType[*schedule.Error](err)
			problems = append(problems, tree.problem(wrong.Message, "pipelines", name, "schedule", wrong.Field))
		}
		if entry.Retry.Wait != "" {
			if p.Wait, err = time.ParseDuration(entry.Retry.Wait); err != nil || p.Wait <= 0 || p.Wait > longestWait {
				problems = append(problems, tree.problem("must be a duration of at most 15m, such as 30s", "pipelines", name, "retry", "wait"))
			}
		}
		problems = append(problems, tree.checkReferences(entry.Config, "pipelines", name, "config")...)
		problems = append(problems, tree.checkReferences(entry.Destination, "pipelines", name, "destination")...)
		if entry.Paused {
			f.Paused = append(f.Paused, p)
		} else {
			f.Pipelines = append(f.Pipelines, p)
		}
	}
	if len(problems) > 0 {
		return nil, &Problems{path, problems}
	}
	return f, nil
}

// resolvePath returns path, resolved against folder if it is relative.
func resolvePath(folder, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(folder, path)
}

// Only removes all pipelines except those with the given names, and orders them by names. Without names, it does
// nothing.
func (f *File) Only(names []string) error {
	if len(names) == 0 {
		return nil
	}
	var only []Pipeline
	for _, name := range names {
		i := slices.IndexFunc(f.Pipelines, func(p Pipeline) bool { return p.Name == name })
		if i < 0 {
			return fmt.Errorf("there is no pipeline %q in %s, or it is paused: choose from %s", name, f.Path, strings.Join(f.names(), ", "))
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

// decode decodes the tree into a struct.
func (t *tree) decode(into any) error {
	content, err := json.Marshal(t.value)
	if err != nil {
		return err
	}
	decoder := json.NewDecoder(bytes.NewReader(content))
	decoder.DisallowUnknownFields() // the schema has already rejected them; this keeps schema and struct consistent
	return decoder.Decode(into)
}
