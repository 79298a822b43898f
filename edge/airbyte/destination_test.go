package airbyte_test

import (
	"encoding/json"
	"fmt"
	"strings"
)

// destination is an Airbyte destination in the mode append_dedup: of the rows with one key it keeps the one with the greatest
// cursor and, among equals, the one that was emitted last.
type destination struct {
	streams map[string]catalogStream
	// lossy means that records are kept only if a state follows them.
	lossy  bool
	rows   map[string]map[string]kept // by stream and key
	states map[string]json.RawMessage
	wrong  []string
}

// kept is a row.
type kept struct {
	data    string
	deleted bool
	cursor  float64
	emitted int64
	theirs  bool // source-stripe loaded it
}

func newDestination(catalog []catalogStream, lossy bool) *destination {
	d := &destination{streams: map[string]catalogStream{}, lossy: lossy, rows: map[string]map[string]kept{}, states: map[string]json.RawMessage{}}
	for _, s := range catalog {
		d.streams[s.Name] = s
		d.rows[s.Name] = map[string]kept{}
	}
	return d
}

// load takes the lines of a read.
func (d *destination) load(lines []line) {
	waiting := map[string][]line{}
	for _, l := range lines {
		switch l.Type {
		case "RECORD":
			if d.lossy {
				waiting[l.Record.Stream] = append(waiting[l.Record.Stream], l)
			} else {
				d.put(l)
			}
		case "STATE":
			name := l.State.Stream.Descriptor.Name
			d.states[name] = l.State.Stream.State
			for _, record := range waiting[name] {
				d.put(record)
			}
			delete(waiting, name)
		}
	}
}

func (d *destination) put(l line) {
	s := d.streams[l.Record.Stream]
	var row map[string]any
	if err := json.Unmarshal(l.Record.Data, &row); err != nil {
		panic(err)
	}
	var key []string
	for _, path := range s.Key {
		key = append(key, fmt.Sprint(row[path[0]]))
	}
	if len(key) == 0 {
		key = []string{string(l.Record.Data)}
	}
	id := strings.Join(key, "|")
	new := kept{data: string(l.Record.Data), deleted: row["is_deleted"] == true, emitted: l.Record.EmittedAt}
	if len(s.Cursor) > 0 {
		cursor, ok := row[s.Cursor[0]].(float64)
		if !ok {
			d.wrong = append(d.wrong, fmt.Sprintf("%s %s has no cursor %s: %.200s", s.Name, id, s.Cursor[0], l.Record.Data))
		}
		new.cursor = cursor
	}
	old, known := d.rows[s.Name][id]
	if known && old.cursor == new.cursor && old.emitted == new.emitted && old.data != new.data {
		d.wrong = append(d.wrong, fmt.Sprintf("%s %s: the order of two versions is unknown:\n%.200s\n%.200s", s.Name, id, old.data, new.data))
	}
	if known && (new.cursor < old.cursor || new.cursor == old.cursor && new.emitted < old.emitted) {
		return
	}
	d.rows[s.Name][id] = new
}

// state returns the content of the file with the states; nil if there are none.
func (d *destination) state() json.RawMessage {
	if len(d.states) == 0 {
		return nil
	}
	var messages []any
	for name, state := range d.states {
		messages = append(messages, map[string]any{"type": "STREAM", "stream": map[string]any{"stream_descriptor": map[string]any{"name": name}, "stream_state": state}})
	}
	text, err := json.Marshal(messages)
	if err != nil {
		panic(err)
	}
	return text
}
