// Package kms keeps encryption keys and encrypts content with them.
//
// Encryption is in envelopes. The content of an object is a stream encrypted with a
// data key of its own ([NewWriter], [NewReader]); the data key is wrapped by a
// version of a named key ([Keys.Wrap]); the material of named keys is wrapped by
// the master key, which comes from a file of its own or from the environment.
// Rotating a key adds a version that wraps from then on; older versions stay for
// unwrapping.
//
// The primitives are those of Tink: AES-256-GCM for keys, streaming AEAD AES256-GCM-HKDF for
// content. docs/formats/encryption.md describes the bytes.
package kms
