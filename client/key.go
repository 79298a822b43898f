package client

// StreamKey identifies a stream of an account.
type StreamKey struct{ Stream, Account string }

// String returns the name of the stream and, if there is one, of the account, for display.
func (k StreamKey) String() string {
	if k.Account == "" {
		return k.Stream
	}
	return k.Stream + " of " + k.Account
}
