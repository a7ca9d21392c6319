// Package release tests what a release is made of: the archives that "make
// snapshot" leaves in a folder, or that the test makes itself; the images, as
// BuildKit reads deploy/Dockerfile; the rock and the layers of the documentation,
// under a real Pebble; and the workflow.
package release
