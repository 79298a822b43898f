package api

import (
	"errors"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/stripe-connector/stripe-connector/connector"
)

// scrubber removes secrets and customer data from text of other parties.
type scrubber struct{ key connector.Secret }

func newScrubber(key connector.Secret) scrubber { return scrubber{key} }

var (
	// keyPattern matches API keys of any kind, also partly masked ones, and webhook secrets.
	keyPattern = regexp.MustCompile(`\b([serpaum]k(?:_org)?_(?:live|test)|whsec)_[0-9A-Za-z*.…]*[0-9A-Za-z*]`)
	// secretPattern matches the end of a client secret
	// (https://docs.stripe.com/api/payment_intents/object#payment_intent_object-client_secret).
	secretPattern = regexp.MustCompile(`_secret_[0-9A-Za-z]+`)
	emailPattern  = regexp.MustCompile(`[^\s'"<>(),;:]+@[^\s'"<>(),;:]+`)
	// numberPattern matches card, account and telephone numbers, but no digits within ids and words.
	numberPattern = regexp.MustCompile(`(^|[^\w*])\+?\d(?:[ ()./-]?\d){6,}\b`)
	// quotePattern matches quoted text. An apostrophe within a word doesn't start a quotation.
	quotePattern = regexp.MustCompile(`(^|[\s(:])('[^']*'|"[^"]*")`)
	// wordPattern matches quotations that may stay: the name of a parameter or permission, a path, an id.
	wordPattern = regexp.MustCompile(`^.[\w.,:/?&=\[\]{}*…+-]*.$`)
)

// maxText is the most bytes of foreign text that a message repeats.
const maxText = 1000

// clean returns text without secrets and without possible customer data: email addresses, long numbers, and quotations of
// more than one word. Ids stay, because the reader needs them.
func (s scrubber) clean(text string) string {
	text = s.secrets(text)
	text = emailPattern.ReplaceAllString(text, "[removed]")
	text = numberPattern.ReplaceAllString(text, "${1}[removed]")
	text = quotePattern.ReplaceAllStringFunc(text, func(match string) string {
		parts := quotePattern.FindStringSubmatch(match)
		if wordPattern.MatchString(parts[2]) {
			return match
		}
		return parts[1] + "[removed]"
	})
	return shorten(text)
}

// secrets returns text without secrets.
func (s scrubber) secrets(text string) string {
	text = strings.ToValidUTF8(text, "\ufffd")
	if key := s.key.Reveal(); key != "" {
		text = strings.ReplaceAll(text, key, "[key]")
	}
	text = keyPattern.ReplaceAllString(text, "${1}_[removed]")
	return secretPattern.ReplaceAllString(text, "_secret_[removed]")
}

// failure returns err. If it is a fault, it removes secrets from texts of the response, which may come from anyone, and cuts them.
func (s scrubber) failure(err error) error {
	if f, ok := errors.AsType[*fault](err); ok {
		for _, text := range []*string{&f.Message, &f.Internal, &f.RequestID, &f.SourceCode} {
			*text = cut(s.secrets(*text), 2*maxText)
		}
	}
	return err
}

func shorten(text string) string { return cut(text, maxText) }

// cut returns text, cut to a number of bytes.
func cut(text string, maximum int) string {
	if len(text) <= maximum {
		return text
	}
	text = text[:maximum]
	for !utf8.ValidString(text) {
		text = text[:len(text)-1]
	}
	return text + "…"
}
