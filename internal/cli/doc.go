// Package cli is the command line: one file for each command, and the only
// place where the parts are wired together.
package cli
