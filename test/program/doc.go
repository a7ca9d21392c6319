// Package program builds kubevitals and runs it as a process of a test.
package program
