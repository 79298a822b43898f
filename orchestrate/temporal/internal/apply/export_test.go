package apply

// WithPageSize returns the options with another number of schedules to list in one call.
func (o Options) WithPageSize(n int32) Options {
	o.pageSize = n
	return o
}
