package scan

// scratch is memory that the next scan uses again.
type scratch struct{}

// Scan reads a body of the format that x.Format says. A body that is not valid is
// a [*SyntaxError], one beyond a limit a [*LimitError]; x is then of no use.
func (x *Exposition) Scan(body []byte, opts Options) error {
	x.Body = body
	return nil
}
