package s3_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/stocktake/stocktake/internal/testserver"
)

// A statement of a policy of S3.
type statement struct {
	Effect    string
	Principal map[string][]string `json:",omitempty"`
	Action    []string
	Resource  []string
}

// documented returns the statements of the policy for S3 in docs/stores.md.
func documented(t *testing.T) []statement {
	t.Helper()
	text, err := os.ReadFile(stores)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "\n## Rights\n")
	_, rest, _ = strings.Cut(rest, "```json\n")
	block, _, _ := strings.Cut(rest, "```")
	var policy struct{ Statement []statement }
	if err := json.Unmarshal([]byte(block), &policy); err != nil || len(policy.Statement) != 2 {
		t.Fatalf("the policy %q of docs/stores.md: %v", block, err)
	}
	return policy.Statement
}

// testRights: a user with the policy of docs/stores.md can take an inventory of a
// bucket with versions; with one of its rights less the take fails, and names it.
func testRights(t *testing.T, s *server) {
	binary, err := testserver.Build(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	user := s.newUser(t)
	source, reports := s.newBucket(t), s.newBucket(t)
	for _, bucket := range []string{source, reports} {
		_, err := s.api.PutBucketVersioning(t.Context(), &s3.PutBucketVersioningInput{
			Bucket: &bucket, VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for i := range 20 {
		if _, err := s.api.PutObject(t.Context(), &s3.PutObjectInput{Bucket: &source, Key: aws.String(fmt.Sprint("k", i)), Body: strings.NewReader("x")}); err != nil {
			t.Fatal(err)
		}
	}
	// allow gives the user the rights but one.
	allow := func(without string) {
		t.Helper()
		for _, bucket := range []string{source, reports} {
			var all []statement
			for _, st := range documented(t) {
				st.Principal = map[string][]string{"AWS": {user}}
				st.Action = slices.DeleteFunc(st.Action, func(a string) bool { return a == without })
				text := strings.NewReplacer("SOURCE", source, "REPORTS", reports, "PREFIX", "inv").Replace(strings.Join(st.Resource, " "))
				st.Resource = slices.DeleteFunc(strings.Fields(text), func(r string) bool {
					name, _, _ := strings.Cut(strings.TrimPrefix(r, "arn:aws:s3:::"), "/")
					return name != bucket
				})
				if len(st.Resource) > 0 && len(st.Action) > 0 {
					all = append(all, st)
				}
			}
			text, err := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": all})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := s.api.PutBucketPolicy(t.Context(), &s3.PutBucketPolicyInput{Bucket: &bucket, Policy: aws.String(string(text))}); err != nil {
				t.Fatalf("%s: %v", text, err)
			}
		}
	}
	take := func(versions string) (string, error) {
		cmd := exec.CommandContext(t.Context(), binary, "take", "s3://"+source, "s3://"+reports+"/inv", "--fresh", "--versions", versions, "--endpoint", s.endpoint)
		cmd.Env = append(os.Environ(), "AWS_ACCESS_KEY_ID="+restrictedKey, "AWS_SECRET_ACCESS_KEY="+restrictedSecret)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	allow("")
	for _, versions := range []string{"All", "Current"} {
		if out, err := take(versions); err != nil {
			t.Errorf("with the policy of docs/stores.md: %v\n%s", err, out)
		}
	}
	for right, versions := range map[string]string{
		"s3:ListBucket": "Current", "s3:ListBucketVersions": "All", "s3:GetBucketVersioning": "All", "s3:PutObject": "All", "s3:GetObject": "All",
	} {
		if slices.Contains(s.needless, right) {
			continue
		}
		allow(right)
		if out, err := take(versions); err == nil || !strings.Contains(out, "the credentials lack the right ") || !strings.Contains(out, right) {
			t.Errorf("without %s: %v\n%s", right, err, out)
		}
	}
}

const restrictedKey, restrictedSecret = "restricted", "restricted-secret"
