package request

import "net/http"

// Resolve returns what the URL of a request names.
func Resolve(r *http.Request, hosts []string, cnames map[string]string) (bucket, key, alternative string, err error) {
	res := NewResolver(hosts, cnames)
	a, err := res.Resolve(r)
	return a.Bucket, a.Key, a.alternative, err
}
