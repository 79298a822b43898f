package connectorv1

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/known/structpb"
)

const key = "sk_live_planted0123456789"

// requests returns one request of each type that carries a configuration, with a key in it.
func requests(t *testing.T) map[string]proto.Message {
	t.Helper()
	config, err := structpb.NewStruct(map[string]any{"api_key": key})
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]proto.Message{}
	protoregistry.GlobalTypes.RangeMessages(func(m protoreflect.MessageType) bool {
		field := m.Descriptor().Fields().ByName("config")
		if m.Descriptor().ParentFile().Package() != "connector.v1" || field == nil {
			return true
		}
		if !field.Options().(*descriptorpb.FieldOptions).GetDebugRedact() {
			t.Errorf("%s is not marked debug_redact", field.FullName())
		}
		message := m.New()
		message.Set(field, protoreflect.ValueOfMessage(config.ProtoReflect()))
		for _, name := range []protoreflect.Name{"streams", "only_available"} { // something to show
			switch shown := message.Descriptor().Fields().ByName(name); {
			case shown == nil:
			case shown.IsList():
				list := message.Mutable(shown).List()
				list.Append(list.NewElement())
			default:
				message.Set(shown, protoreflect.ValueOfBool(true))
			}
		}
		all[string(m.Descriptor().Name())] = message.Interface()
		return true
	})
	if len(all) < 3 {
		t.Fatalf("only %d types of requests have a configuration", len(all))
	}
	return all
}

// shows reports whether a text has the key, in any of the forms that package fmt and encoding/json write bytes in.
func shows(text string) bool {
	text = strings.ToLower(text)
	for _, form := range []string{key, hex.EncodeToString([]byte(key)), base64.StdEncoding.EncodeToString([]byte(key))[:20], strings.Trim(fmt.Sprintf("%d", []byte(key)), "[]")} {
		if strings.Contains(text, strings.ToLower(form)) {
			return true
		}
	}
	return false
}

// A request that is printed or logged by mistake doesn't show the key, however that is done.
func TestPrintedRequestsHideTheKey(t *testing.T) {
	for name, request := range requests(t) {
		carriers := map[string]any{
			"itself": request, "a struct": struct{ Request any }{request}, "a slice": []any{request},
			"a map": map[string]any{"request": request}, "an error": fmt.Errorf("call %v: %w", request, errors.ErrUnsupported),
		}
		for carrier, value := range carriers {
			var logged bytes.Buffer
			for _, handler := range []slog.Handler{slog.NewTextHandler(&logged, nil), slog.NewJSONHandler(&logged, nil)} {
				slog.New(handler).Info("called", "request", value, slog.Any("again", value))
			}
			printed := map[string]string{"slog": logged.String()}
			for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
				printed[verb] = fmt.Sprintf(verb, value)
			}
			text, err := json.Marshal(value)
			if err != nil {
				t.Error(err)
			}
			printed["json"] = string(text)
			for how, text := range printed {
				if shows(text) {
					t.Errorf("%s in %s, printed with %s: %s", name, carrier, how, text)
				}
			}
		}
		if text := fmt.Sprint(request); !strings.Contains(text, "config:[REDACTED]") || !strings.Contains(text, "streams") && !strings.Contains(text, "only_available") {
			t.Errorf("%s is printed as %q", name, text)
		}
	}
}

// What is sent has the key.
func TestSentRequestsHaveTheKey(t *testing.T) {
	for name, request := range requests(t) {
		text, err := protojson.Marshal(request)
		if err != nil || !shows(string(text)) {
			t.Errorf("%s in protojson: %s, %v", name, text, err)
		}
		wire, err := proto.Marshal(request)
		if err != nil || !bytes.Contains(wire, []byte(key)) {
			t.Errorf("%s on the wire lacks the key: %v", name, err)
		}
	}
	if text := (&ReadRequest{}).String(); text != "" {
		t.Errorf("an empty request is printed as %q", text)
	}
}
