package api

import (
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/stripe-connector/stripe-connector/connector"
)

// scrubber removes secrets and customers' data from texts that come from outside.
type scrubber struct{ key connector.Secret }

func newScrubber(key connector.Secret) scrubber { return scrubber{key} }

var (
	// keyPattern is what keys of any kind look like, also half hidden, and the secrets that browsers get.
	keyPattern = regexp.MustCompile(`\b([serpaum]k(?:_org)?_(?:live|test)|whsec)_[0-9A-Za-z*.…]*[0-9A-Za-z*]`)
	// secretPattern is the end of a client secret (https://docs.stripe.com/api/payment_intents/object#payment_intent_object-client_secret).
	secretPattern = regexp.MustCompile(`_secret_[0-9A-Za-z]+`)
	emailPattern  = regexp.MustCompile(`[^\s'"<>(),;:]+@[^\s'"<>(),;:]+`)
	// numberPattern is what card, account and telephone numbers look like. Those within ids and words are none.
	numberPattern = regexp.MustCompile(`(^|[^\w*])\+?\d(?:[ ()./-]?\d){6,}\b`)
	// quotePattern is quoted text. An apostrophe within a word quotes nothing.
	quotePattern = regexp.MustCompile(`(^|[\s(:])('[^']*'|"[^"]*")`)
	// wordPattern is what may be quoted: the name of a parameter or of a permission, a path, an id.
	wordPattern = regexp.MustCompile(`^.[\w.,:/?&=\[\]{}*…+-]*.$`)
)

// mostWords bounds how much of a text from outside is repeated.
const mostWords = 1000

// clean returns a text without secrets, and without what may be a customer's: email addresses, long numbers, and
// anything quoted that is not one word. Ids stay, since whoever gets the message needs them.
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
	return shortened(text)
}

// secrets returns a text without secrets.
func (s scrubber) secrets(text string) string {
	text = strings.ToValidUTF8(text, "\ufffd")
	if key := s.key.Reveal(); key != "" {
		text = strings.ReplaceAll(text, key, "[key]")
	}
	text = keyPattern.ReplaceAllString(text, "${1}_[removed]")
	return secretPattern.ReplaceAllString(text, "_secret_[removed]")
}

func shortened(text string) string {
	if len(text) <= mostWords {
		return text
	}
	text = text[:mostWords]
	for !utf8.ValidString(text) {
		text = text[:len(text)-1]
	}
	return text + "…"
}
