// Package sts serves AssumeRole, the STS call that issues temporary access keys of
// a role to users and to sessions of other roles.
//
// [Is] distinguishes its requests from those of OSS on the same listener. A
// request carries its parameters in the URL, in a form, or in both, and is
// signed over all of them. internal/signature proves who sent it, internal/ram
// decides and makes the key.
//
// Source: STS API reference, AssumeRole, "Common parameters", "Request
// signature" (RPC, SignatureVersion 1.0).
package sts
