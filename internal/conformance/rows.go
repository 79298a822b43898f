package conformance

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/stripe-connector/stripe-connector/connector"
)

// rows holds the rows of each stream as canonical JSON, by primary key.
type rows map[string]map[string]string

// collect returns the rows that a complete read of the streams brings.
func collect(ctx context.Context, source connector.Source, config connector.Config, keys map[string][]string) (rows, error) {
	all, req := rows{}, connector.ReadRequest{Config: config}
	for stream := range keys {
		all[stream] = map[string]string{}
		req.Streams = append(req.Streams, connector.ConfiguredStream{Stream: stream})
	}
	summary, err := source.Read(ctx, req, sinkFunc(func(_ context.Context, m connector.Message) error {
		batch, ok := m.(*connector.RecordBatch)
		if !ok {
			return nil
		}
		for _, record := range batch.Records {
			if record.Operation != connector.Upsert {
				return fmt.Errorf("a first read of %s has a deletion", batch.Stream)
			}
			key, row, err := parseRow([]byte(record.Data), keys[batch.Stream])
			if err != nil {
				return err
			}
			all[batch.Stream][key] = row
		}
		return nil
	}))
	for _, s := range summary.Streams {
		if s.Status != connector.Complete && err == nil {
			err = fmt.Errorf("%s is %s", s.Stream, s.Status)
		}
	}
	return all, err
}

// load returns the rows that a client left in a folder.
func load(folder string, keys map[string][]string) (rows, error) {
	all := rows{}
	for stream, key := range keys {
		all[stream] = map[string]string{}
		name := stream + ".jsonl"
		file, err := os.Open(filepath.Join(folder, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		err = loadLines(file, key, all[stream])
		if err := errors.Join(err, file.Close()); err != nil {
			return nil, fmt.Errorf("%s %w", name, err)
		}
	}
	return all, nil
}

func loadLines(file *os.File, key []string, into map[string]string) error {
	lines := bufio.NewReader(file)
	for n := 1; ; n++ {
		line, ended := lines.ReadBytes('\n')
		if len(bytes.TrimSpace(line)) > 0 {
			id, row, err := parseRow(line, key)
			if err != nil {
				return fmt.Errorf("line %d: %w", n, err)
			}
			if _, twice := into[id]; twice {
				return fmt.Errorf("line %d: a second row with the primary key %s", n, id)
			}
			into[id] = row
		}
		if ended != nil {
			return nil //nolint:nilerr // the end of the file
		}
	}
}

// parseRow returns the primary key and the canonical form of a row.
func parseRow(text []byte, key []string) (id, row string, err error) {
	value, err := parse(text)
	object, ok := value.(map[string]any)
	if err != nil || !ok {
		return "", "", fmt.Errorf("not a JSON object: %.60q", text)
	}
	var parts []string
	for _, field := range key {
		part, ok := object[field]
		if !ok {
			return "", "", fmt.Errorf("has no %s, which is in the primary key: %.60q", field, text)
		}
		parts = append(parts, fmt.Sprint(part))
	}
	return strings.Join(parts, "/"), format(value), nil
}

// parse parses a JSON value. Numbers are normalized, but keep all their digits.
func parse(text []byte) (any, error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return nil, err
	}
	return normalize(value), nil
}

func normalize(value any) any {
	switch v := value.(type) {
	case map[string]any:
		for name, member := range v {
			v[name] = normalize(member)
		}
	case []any:
		for i, member := range v {
			v[i] = normalize(member)
		}
	case json.Number:
		if f, err := v.Float64(); err == nil && strings.ContainsAny(v.String(), ".eE") {
			return json.Number(strconv.FormatFloat(f, 'f', -1, 64))
		}
	}
	return value
}

// format returns the JSON of a value returned by parse.
func format(value any) string {
	text, _ := json.Marshal(value) // can't fail
	return string(text)
}

// differences says how rows differ from those wanted, or returns an empty string.
func differences(want, got rows) string {
	var parts []string
	for _, stream := range slices.Sorted(maps.Keys(want)) {
		var missing, extra, different []string
		for key, row := range want[stream] {
			has, ok := got[stream][key]
			switch {
			case !ok:
				missing = append(missing, key)
			case has != row:
				different = append(different, key)
			}
		}
		for key := range got[stream] {
			if _, ok := want[stream][key]; !ok {
				extra = append(extra, key)
			}
		}
		for _, d := range []struct {
			what string
			keys []string
		}{{"missing", missing}, {"not deleted", extra}, {"stale or changed", different}} {
			if len(d.keys) > 0 {
				parts = append(parts, fmt.Sprintf("%s: %d of %d rows %s: %s", stream, len(d.keys), len(want[stream]), d.what, some(d.keys)))
			}
		}
	}
	return strings.Join(parts, "; ")
}

// shown is the most keys that a difference lists.
const shown = 3

// some returns the first few of the keys.
func some(keys []string) string {
	slices.Sort(keys)
	if len(keys) > shown {
		return strings.Join(keys[:shown], ", ") + ", …"
	}
	return strings.Join(keys, ", ")
}
