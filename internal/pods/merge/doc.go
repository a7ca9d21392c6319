// Package merge makes one exposition of what many pods have sent: each family
// once, with the samples of all pods next to each other and the labels of their
// pod in them. Samples are copied from the bodies when the exposition is written,
// and not before.
package merge
