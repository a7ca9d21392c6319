// Package rbac works out the least roles with which rules can be served: what a
// set of rules asks to read, by the names that the API server has for it, with
// the verbs that the way of reading needs.
package rbac
