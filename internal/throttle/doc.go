// Package throttle makes HTTP requests to a store that another party operates and
// that others use at the same time. [Gate] bounds how many requests are in
// flight, how many begin in a second and in which hours; [Retry] repeats what
// failed for a while. Both are decorators of http.RoundTripper, the one
// interface that all clients of stores have:
//
//	client.Transport = &throttle.Retry{Next: throttle.NewGate(transport, limits)}
package throttle
