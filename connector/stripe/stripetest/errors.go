package stripetest

import (
	"fmt"
	"net/http"
)

// apiError is an error in Stripe's format (https://docs.stripe.com/api/errors).
type apiError struct {
	status                int
	kind, code, message   string
	param, docURL, logURL string
	rateLimitedReason     string
	// withoutID omits the Request-Id header.
	withoutID bool
}

func (e *apiError) Error() string { return e.message }

// value returns the response body.
func (e *apiError) value() value {
	var fields []field
	add := func(name, text string) {
		if text != "" {
			fields = append(fields, field{name: name, value: quoted(text)})
		}
	}
	add("code", e.code)
	add("doc_url", e.docURL)
	add("message", e.message)
	add("param", e.param)
	add("request_log_url", e.logURL)
	add("type", e.kind)
	return value{fields: []field{{name: "error", value: value{fields: fields}}}}
}

func invalid(param, code, message string) *apiError {
	e := &apiError{status: http.StatusBadRequest, kind: "invalid_request_error", code: code, message: message, param: param}
	if code != "" {
		e.docURL = "https://stripe.com/docs/error-codes/" + hyphenated(code)
	}
	return e
}

func hyphenated(code string) string {
	text := []byte(code)
	for i, c := range text {
		if c == '_' {
			text[i] = '-'
		}
	}
	return string(text)
}

// missing returns the error for an object that does not exist: 404 if named in the path, 400 if named in a parameter.
func missing(status int, object, id, param string) *apiError {
	e := invalid(param, "resource_missing", fmt.Sprintf("No such %s: '%s'", object, id))
	e.status = status
	return e
}

func forbidden(code, message string) *apiError {
	return &apiError{status: http.StatusForbidden, kind: "invalid_request_error", code: code, message: message}
}

func unauthorized(code, message string) *apiError {
	return &apiError{status: http.StatusUnauthorized, kind: "invalid_request_error", code: code, message: message}
}

func unrecognized(method, path, hint string) *apiError {
	return &apiError{status: http.StatusNotFound, kind: "invalid_request_error", message: fmt.Sprintf(
		"Unrecognized request URL (%s: %s). Please see https://stripe.com/docs or we can help at https://support.stripe.com/.%s",
		method, path, hint)}
}

func rateLimited(reason string) *apiError {
	return &apiError{status: http.StatusTooManyRequests, kind: "invalid_request_error", code: "rate_limit", rateLimitedReason: reason,
		docURL: "https://stripe.com/docs/error-codes/rate-limit",
		message: "Request rate limit exceeded. You can learn more about rate limits here https://stripe.com/docs/rate-limits. " +
			"Please reduce the number of requests and retry."}
}

func lockTimeout() *apiError {
	return &apiError{status: http.StatusTooManyRequests, kind: "invalid_request_error", code: "lock_timeout", withoutID: true,
		docURL: "https://stripe.com/docs/error-codes/lock-timeout",
		message: "This object cannot be accessed right now because another API request or Stripe process is currently accessing it. " +
			"If you see this error intermittently, retry the request. If you see this error frequently and are making multiple " +
			"concurrent requests to a single object, make your requests serially or at a lower rate."}
}

func serverError() *apiError {
	return &apiError{status: http.StatusInternalServerError, kind: "api_error",
		message: "An unexpected error has occurred. Please try again or contact support at https://support.stripe.com/ if the error persists."}
}
