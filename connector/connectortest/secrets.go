package connectortest

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/stripe-connector/stripe-connector/connector"
)

// findSecrets looks for the planted secrets in anything that came from the source.
func (t *trial) findSecrets(v any) {
	if len(t.options.Secrets) == 0 || v == nil {
		return
	}
	text := jsonOf(v)
	if err, ok := v.(error); ok {
		text += fmt.Sprintf("%v %+v %#v %q %x", err, err, err, err, err)
		if f, ok := errors.AsType[*connector.Failure](err); ok {
			text += jsonOf(f)
		}
	}
	if t.options.secretIn(text) != "" {
		t.broke("secrets", "a %T has one: %.300s", v, text)
	}
}

// secretIn returns the secret that a text contains in any form, or "".
func (o Options) secretIn(text string) string {
	for _, secret := range o.Secrets {
		b := []byte(secret)
		numbers := strings.Trim(fmt.Sprintf("%d", b), "[]")
		for _, form := range []string{
			secret, url.QueryEscape(secret), hex.EncodeToString(b), strings.ToUpper(hex.EncodeToString(b)), numbers,
			strings.ReplaceAll(numbers, " ", ","), base64.StdEncoding.EncodeToString(b), base64.RawURLEncoding.EncodeToString(b),
		} {
			if strings.Contains(text, form) {
				return secret
			}
		}
	}
	return ""
}
