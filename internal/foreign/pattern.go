package foreign

// A pattern is a glob over a name: '*' matches any bytes, '?' one byte.
type pattern string

// match reports whether the pattern matches the whole name. Its time is at most the
// product of both lengths.
func (p pattern) match(name string) bool {
	at, from := 0, 0    // in p and in name
	star, kept := -1, 0 // the last '*', and where the text after it began
	for from < len(name) {
		switch {
		case at < len(p) && p[at] == '*':
			star, kept = at, from
			at++
		case at < len(p) && (p[at] == '?' || p[at] == name[from]):
			at++
			from++
		case star >= 0: // let the '*' match one more byte
			kept++
			at, from = star+1, kept
		default:
			return false
		}
	}
	for at < len(p) && p[at] == '*' {
		at++
	}
	return at == len(p)
}

// literal reports whether the pattern matches only one name, which equals the
// pattern.
func (p pattern) literal() bool {
	for i := range len(p) {
		if p[i] == '*' || p[i] == '?' {
			return false
		}
	}
	return true
}

// overlaps returns a name that both patterns match, or false if there is none. The
// name has an 'x' at each place where it may have any byte.
func (p pattern) overlaps(q pattern) (name string, ok bool) {
	// seen[i][j] means that p[i:] and q[j:] have been compared without a match.
	seen := make([]bool, (len(p)+1)*(len(q)+1))
	var walk func(i, j int) (string, bool)
	walk = func(i, j int) (string, bool) {
		if i == len(p) && j == len(q) {
			return "", true
		}
		at := i*(len(q)+1) + j
		if seen[at] {
			return "", false
		}
		seen[at] = true
		if i < len(p) && p[i] == '*' {
			if s, ok := walk(i+1, j); ok {
				return s, true
			}
			if j < len(q) && q[j] != '*' {
				if s, ok := walk(i, j+1); ok {
					return example(q[j]) + s, true
				}
			}
		}
		if j < len(q) && q[j] == '*' {
			if s, ok := walk(i, j+1); ok {
				return s, true
			}
			if i < len(p) && p[i] != '*' {
				if s, ok := walk(i+1, j); ok {
					return example(p[i]) + s, true
				}
			}
		}
		if i < len(p) && j < len(q) && p[i] != '*' && q[j] != '*' && (p[i] == q[j] || p[i] == '?' || q[j] == '?') {
			c := p[i]
			if c == '?' {
				c = q[j]
			}
			if s, ok := walk(i+1, j+1); ok {
				return example(c) + s, true
			}
		}
		return "", false
	}
	return walk(0, 0)
}

func example(c byte) string {
	if c == '?' {
		return "x"
	}
	return string(c)
}
