package stripe

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"testing"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/stripe/api"
)

// TestKeyIsHidden prints and dumps everything that holds a key during a Read.
func TestKeyIsHidden(t *testing.T) {
	const key = "sk_test_plantedcanary"
	source := New(Options{})
	c, streams, err := source.pin(t.Context(), connector.NewConfig(`{"api_key":"`+key+`"}`))
	if err != nil {
		t.Fatal(err)
	}
	req := connector.ReadRequest{Config: connector.NewConfig(`{"api_key":"` + key + `"}`)}
	r := source.newRead(c, streams, req, nil)
	for name, value := range map[string]any{
		"config": c, "client options": api.Options{Key: c.APIKey}, "client": r.reader.Client, "reader": r.reader, "read": r, "source": source,
	} {
		encoded, err := json.Marshal(value)
		texts := []string{string(encoded), fmt.Sprint(err), fmt.Sprintf("%v %+v %#v %s %q %x", value, value, value, value, value, value)}
		var logged strings.Builder
		slog.New(slog.NewJSONHandler(&logged, nil)).Info("text", "value", value)
		texts = append(texts, logged.String(), dump(reflect.ValueOf(value), map[uintptr]bool{}))
		for _, text := range texts {
			if strings.Contains(text, "plantedcanary") || strings.Contains(text, fmt.Sprintf("%x", "plantedcanary")) {
				t.Errorf("the %s shows the key: %.300s", name, text)
			}
		}
	}
}

// dump returns every string that reflection can reach, as a debugger would show it.
func dump(v reflect.Value, seen map[uintptr]bool) string {
	switch v.Kind() {
	case reflect.String:
		return v.String() + " "
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() || v.Kind() == reflect.Pointer && seen[v.Pointer()] {
			return ""
		}
		if v.Kind() == reflect.Pointer {
			seen[v.Pointer()] = true
		}
		return dump(v.Elem(), seen)
	case reflect.Struct:
		var all strings.Builder
		for i := range v.NumField() {
			all.WriteString(dump(v.Field(i), seen))
		}
		return all.String()
	case reflect.Slice, reflect.Array:
		var all strings.Builder
		for i := range min(v.Len(), 1000) {
			all.WriteString(dump(v.Index(i), seen))
		}
		return all.String()
	case reflect.Map:
		var all strings.Builder
		for _, key := range v.MapKeys() {
			all.WriteString(dump(key, seen) + dump(v.MapIndex(key), seen))
		}
		return all.String()
	default:
		return ""
	}
}
