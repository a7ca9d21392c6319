package operator

// Daemon registers a function that runs in the background: Run starts it once
// the server listens, and cancels and awaits it on shutdown. When it returns nil
// or [ErrStop] it has ended for good; after any other error, or a panic, it is
// started again, after the pause that [Restart] says.
func (o *Operator) Daemon(name string, fn TaskFunc, opts ...TaskOption) {
	o.addTask(&task{name: name, fn: fn}, opts)
}
