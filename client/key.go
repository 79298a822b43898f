package client

// StreamKey identifies a stream of an account.
type StreamKey struct{ Stream, Account string }

// String returns the name of the stream, and the account if there is one, for display.
func (k StreamKey) String() string {
	if k.Account == "" {
		return k.Stream
	}
	return k.Stream + " of " + k.Account
}
