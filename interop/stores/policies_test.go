package stores_test

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
)

// A statement of a policy of S3 or OSS.
type statement struct {
	Effect    string
	Principal map[string][]string `json:",omitempty"`
	Action    []string
	Resource  []string
}

// A policy is a list of statements that allow.
type policy []statement

// documented returns the policy in docs/stores.md for a kind of store: that of all
// runs, and that of columns that are not in the listing.
func documented(t *testing.T, kind string) policy {
	t.Helper()
	text, err := os.ReadFile(stores)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "\n## Rights\n")
	var all policy
	for {
		var block string
		var found bool
		if _, rest, found = strings.Cut(rest, "```json\n"); !found {
			break
		}
		block, rest, _ = strings.Cut(rest, "```")
		var doc struct {
			statement
			Statement policy
		}
		if err := json.Unmarshal([]byte(block), &doc); err != nil {
			t.Fatalf("the policy %s of docs/stores.md: %v", block, err)
		}
		if doc.Statement == nil {
			doc.Statement = policy{doc.statement}
		}
		if strings.HasPrefix(doc.Statement[0].Action[0], kind+":") && doc.Statement[0].Principal == nil {
			all = append(all, doc.Statement...)
		}
	}
	if len(all) != 3 {
		t.Fatalf("docs/stores.md has %d statements for %s, want 3", len(all), kind)
	}
	return all
}

// of returns the policy with the names that its resources stand for.
func (p policy) of(source, reports, prefix string) policy {
	named := strings.NewReplacer("SOURCE", source, "REPORTS", reports, "PREFIX", prefix)
	return p.each(func(s *statement) {
		for i := range s.Resource {
			s.Resource[i] = named.Replace(s.Resource[i])
		}
	})
}

// without returns the policy without a right.
func (p policy) without(right string) policy {
	return p.each(func(s *statement) {
		s.Action = slices.DeleteFunc(s.Action, func(a string) bool { return a == right })
	})
}

// only returns the part of the policy about one right.
func (p policy) only(right string) policy {
	return p.each(func(s *statement) {
		s.Action = slices.DeleteFunc(s.Action, func(a string) bool { return a != right })
	})
}

// about returns the part of the policy about one bucket of S3, with a principal, as a
// policy of that bucket.
func (p policy) about(bucket, principal string) policy {
	return p.each(func(s *statement) {
		s.Principal = map[string][]string{"AWS": {principal}}
		s.Resource = slices.DeleteFunc(s.Resource, func(r string) bool {
			name, _, _ := strings.Cut(strings.TrimPrefix(r, "arn:aws:s3:::"), "/")
			return name != bucket
		})
	})
}

// each returns a copy of the policy that change has changed, without statements that
// say nothing.
func (p policy) each(change func(*statement)) policy {
	var changed policy
	for _, s := range p {
		s.Action, s.Resource = slices.Clone(s.Action), slices.Clone(s.Resource)
		change(&s)
		if len(s.Action) > 0 && len(s.Resource) > 0 {
			changed = append(changed, s)
		}
	}
	return changed
}

// rights returns the actions that the policy allows, each once, in its order.
func (p policy) rights() (all []string) {
	for _, s := range p {
		for _, a := range s.Action {
			if !slices.Contains(all, a) {
				all = append(all, a)
			}
		}
	}
	return all
}

// document returns the policy as a server takes it.
func (p policy) document(t *testing.T, version string) []byte {
	t.Helper()
	text, err := json.Marshal(map[string]any{"Version": version, "Statement": p})
	if err != nil {
		t.Fatal(err)
	}
	return text
}
