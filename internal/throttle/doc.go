// Package throttle limits and repeats HTTP requests to a store that others use at
// the same time. [Gate] bounds how many requests are in flight, how many begin in a
// second, and in which hours. [Retry] repeats requests that fail temporarily. Both
// are decorators of http.RoundTripper, the one interface that all clients of stores
// share:
//
//	client.Transport = &throttle.Retry{Next: throttle.NewGate(transport, limits)}
package throttle
