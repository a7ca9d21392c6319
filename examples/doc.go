// Package examples holds programs that use the SDK, and runs those that the
// documentation shows.
package examples
