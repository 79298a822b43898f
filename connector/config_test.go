package connector_test

import (
	"bytes"
	"encoding/base64"
	"encoding/gob"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"testing"
	"text/template"

	"github.com/google/go-cmp/cmp"

	"github.com/stripe-connector/stripe-connector/connector"
)

// planted is a key that must not appear anywhere.
const planted = "sk_live_plantedcanary"

var config = connector.NewConfig(`{"api_key":"` + planted + `"}`)

// carriers returns values that contain a Config or a Secret: in exported fields, in unexported fields (which fmt
// prints without calling their methods), and behind pointers, interfaces and containers.
func carriers() map[string]any {
	check := connector.CheckRequest{Config: config}
	discover := connector.DiscoverRequest{Config: config}
	read := connector.ReadRequest{Config: config}
	return map[string]any{
		"Config": config, "*Config": &config, "CheckRequest": check, "DiscoverRequest": discover, "ReadRequest": read, "*ReadRequest": &read,
		"exported":   struct{ Request connector.ReadRequest }{read},
		"unexported": struct{ request connector.ReadRequest }{read},
		"behind":     struct{ request *connector.ReadRequest }{&read},
		"interface":  struct{ value any }{config},
		"Secret":     connector.NewSecret(planted), "*Secret": new(connector.NewSecret(planted)),
		"hidden secret": struct{ key connector.Secret }{connector.NewSecret(planted)},
		"list":          []connector.Config{config}, "map": map[string]connector.Config{"config": config},
		"error": fmt.Errorf("read %v: %w", read, errors.New("broken")),
	}
}

func TestConfigIsHidden(t *testing.T) {
	for name, value := range carriers() {
		t.Run(name, func(t *testing.T) {
			for way, text := range printed(t, value) {
				if isLeaked(text) {
					t.Errorf("%s shows the key: %s", way, text)
				}
			}
			if text := dump(reflect.ValueOf(value), map[uintptr]bool{}); isLeaked(text) {
				t.Errorf("reflection reaches the key: %s", text)
			}
		})
	}
}

// printed returns what every way of printing and marshaling makes of value, by the name of the way.
func printed(t *testing.T, value any) map[string]string {
	t.Helper()
	all := map[string]string{"Sprint": fmt.Sprint(value), "Sprintln": fmt.Sprintln(value)}
	for _, flags := range []string{"", "+", "#", " ", "0", "-", "+#", "# ", "100", ".3", "200.100"} {
		for _, verb := range "vTtbcdoOqxXUeEfFgGspz" {
			format := "%" + flags + string(verb)
			all[format] = fmt.Sprintf(format, value)
		}
	}
	var text, object, plain, filled, binary bytes.Buffer
	slog.New(slog.NewTextHandler(&text, nil)).Info("text", "value", value)
	slog.New(slog.NewJSONHandler(&object, nil)).Info("JSON", "value", value, slog.Group("group", "value", value))
	log.New(&plain, "", 0).Println(value)
	if err := template.Must(template.New("").Parse("{{.}} {{printf \"%q\" .}}")).Execute(&filled, value); err != nil {
		t.Error(err)
	}
	all["slog text"], all["slog JSON"], all["log"], all["template"] = text.String(), object.String(), plain.String(), filled.String()
	// Encoders may reject a value, but their error must not quote it.
	encoded, err := json.Marshal(value)
	all["JSON"] = fmt.Sprint(string(encoded), err)
	encoded, err = xml.Marshal(value)
	all["XML"] = fmt.Sprint(string(encoded), err)
	err = gob.NewEncoder(&binary).Encode(value)
	all["gob"] = fmt.Sprint(binary.String(), err)
	all["cmp"] = cmp.Diff(value, nil, cmp.Exporter(func(reflect.Type) bool { return true }))
	return all
}

// dump returns everything that reflection can reach, unexported fields included, as a debugger would show it.
func dump(v reflect.Value, seen map[uintptr]bool) string {
	var text strings.Builder
	switch v.Kind() {
	case reflect.String:
		text.WriteString(v.String())
	case reflect.Pointer, reflect.Interface:
		if v.Kind() == reflect.Pointer && seen[v.Pointer()] || v.IsNil() {
			break
		}
		if v.Kind() == reflect.Pointer {
			seen[v.Pointer()] = true
		}
		text.WriteString(dump(v.Elem(), seen))
	case reflect.Struct:
		for i := range v.NumField() {
			text.WriteString(dump(v.Field(i), seen) + " ")
		}
	case reflect.Slice, reflect.Array:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			fmt.Fprintf(&text, "%s", v)
			break
		}
		for i := range v.Len() {
			text.WriteString(dump(v.Index(i), seen) + " ")
		}
	case reflect.Map:
		for _, key := range v.MapKeys() {
			text.WriteString(dump(key, seen) + " " + dump(v.MapIndex(key), seen) + " ")
		}
	default:
		fmt.Fprintf(&text, "%v", v)
	}
	return text.String()
}

// isLeaked reports whether text contains the key in any form: plain, hexadecimal, base64, or a list of bytes.
func isLeaked(text string) bool {
	const part = "plantedcanary"
	bytes := []byte(part)
	numbers := strings.Trim(fmt.Sprintf("%d", bytes), "[]")
	forms := []string{
		part, fmt.Sprintf("%x", part), fmt.Sprintf("% x", part), fmt.Sprintf("%# x", part), numbers, strings.ReplaceAll(numbers, " ", ", "),
		strings.ReplaceAll(fmt.Sprintf("%# x", part), " ", ", "),
	}
	for offset := range 3 { // base64 depends on the offset within a group of three bytes
		encoded := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("x", offset) + part))
		forms = append(forms, strings.ToLower(encoded[4:len(encoded)-4]))
	}
	lower := strings.ToLower(text)
	return slices.ContainsFunc(forms, func(form string) bool { return strings.Contains(lower, form) })
}

// TestLeaksAreFound checks the checker: a key that isn't hidden must be found.
func TestLeaksAreFound(t *testing.T) {
	open := json.RawMessage(`{"api_key":"` + planted + `"}`)
	ways := printed(t, struct {
		Config json.RawMessage
		hidden []byte
	}{open, open})
	for _, way := range []string{"%v", "%s", "%x", "% x", "%X", "%q", "%d", "%+v", "%#v", "slog text", "slog JSON", "log", "JSON", "gob", "cmp"} {
		if !isLeaked(ways[way]) {
			t.Errorf("%s shows the key, but isLeaked doesn't find it: %s", way, ways[way])
		}
	}
	if encoded, _ := json.Marshal([]byte(open)); !isLeaked(string(encoded)) {
		t.Errorf("isLeaked doesn't find base64: %s", encoded)
	}
	if !isLeaked(dump(reflect.ValueOf(struct{ config *json.RawMessage }{&open}), map[uintptr]bool{})) {
		t.Error("dump doesn't reach the key")
	}
}

func TestConfigContent(t *testing.T) {
	if got := string(config.JSON()); got != `{"api_key":"`+planted+`"}` {
		t.Errorf("content is %s", got)
	}
	if !config.Equal(connector.NewConfig([]byte(`{"api_key":"`+planted+`"}`))) || config.Equal(connector.NewConfig(`{}`)) {
		t.Error("Equal doesn't compare the content")
	}
	if none := connector.NewConfig(""); none.JSON() != nil || !none.Equal(connector.Config{}) {
		t.Errorf("empty content: got %q, want nil", none.JSON())
	}
}
