package signature

// SignCanonicalV4 signs a canonical request that a test wrote by hand.
func SignCanonicalV4(secret, canonical, stamp, region string) string {
	c := &canon{out: []byte(canonical)}
	const day = "20260105"
	text := c.stringToSignV4(span{0, len(canonical)}, stamp, day, region, product)
	key, _ := signingKeys.derive(secret, day, region, product)
	s := signatureV4(&key, c.out[text.from:text.to])
	return string(s[:])
}

// CachedKeys is the number of signing keys remembered.
func CachedKeys() int {
	signingKeys.mu.RLock()
	defer signingKeys.mu.RUnlock()
	return len(signingKeys.key)
}
