// Package kubeauth lets a Kubernetes API server decide who may use an
// [net/http.Handler], with the rules of the cluster: accounts, their tokens or
// client certificates, and RBAC of non-resource URLs. It also makes the TLS
// configuration that such a handler is served with.
//
//	auth, err := kubeauth.New(kubeauth.Config{}) // in a pod
//	mux.Handle("/metrics", auth.Wrap(metrics))
//
// A request is answered after at most two questions to the API server:
//
//   - Who is it? A bearer token is sent to a TokenReview. A client certificate
//     that the TLS server has verified needs no question, if the configuration
//     takes those: its common name is the user, its organizations are the groups.
//   - May it? A [Rule] of the configuration can say yes. Otherwise a
//     SubjectAccessReview decides about the verb, which is the method in lower
//     case with HEAD as get, and the path of the URL.
//
// The account that asks needs the ClusterRole system:auth-delegator, or at
// least to create both kinds of review.
//
// # Answers
//
// A request without usable credentials gets 401, one that is not allowed 403.
// When the API server cannot be asked, or does not let this account ask, it is
// 503 with Retry-After, so that a broken API server is never mistaken for a
// wrong token. A path that is not in its shortest form, has an encoded slash,
// or comes with a method in lower case, gets 400: what is authorised must be
// what the handler understands.
//
// # Caches
//
// Answers of the API server are kept for the times in [Config], in bounded
// memory, under keys that do not tell the token. Requests that need the same
// answer share one question. An account that is deleted or loses a role keeps
// its access for those times, and for [Config.StaleWhileUnavailable] more while
// the API server is down.
//
// # TLS
//
// [SelfSigned] and [CertificateFiles] make a server's configuration, and
// [WithClientCA] adds client certificates to it. [Auth.Wrap] itself does not
// demand TLS: a server that is reached without lets tokens be read on the way.
//
// The package uses the standard library only.
package kubeauth
