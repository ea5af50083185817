package ram_test

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/stocktake/stocktake/internal/ram"
	"github.com/stocktake/stocktake/internal/securefile"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// Files of earlier versions stay readable: the directory and a security token, as
// in testdata/golden.
func TestReadsWhatWasWritten(t *testing.T) {
	golden := filepath.Join("testdata", "golden")
	path, session := filepath.Join(golden, "ram.json"), filepath.Join(golden, "session.json")
	if *update {
		must(t, os.RemoveAll(golden))
		must(t, os.MkdirAll(golden, 0o755))
		d := open(t, path, ram.Options{})
		_, err := d.CreateUser(owner, "alice")
		must(t, err)
		must(t, d.PutPolicy(owner, "reader", ram.Document(policy(`{"Effect":"Allow","Action":"oss:Get*","Resource":"acs:oss:*:*:photos/*"}`))))
		must(t, d.AttachUserPolicy(owner, "alice", "reader"))
		_, err = d.AddKey(owner, "alice", "LTAIalice", "hers")
		must(t, err)
		_, err = d.CreateRole(owner, "writer", nil, 0)
		must(t, err)
		must(t, d.AttachRolePolicy(owner, "writer", "AliyunOSSFullAccess"))
		c, err := d.Assume(rootIdentity(t, d), ram.AssumeRole{RoleARN: writer, SessionName: "sess", Policy: policy(`{"Effect":"Allow","Action":"oss:PutObject","Resource":"*"}`)})
		must(t, err)
		b, err := json.MarshalIndent(map[string]string{"id": c.AccessKeyID, "secret": c.Secret, "token": c.Token}, "", "  ")
		must(t, err)
		must(t, os.WriteFile(session, b, 0o600))
		must(t, os.Remove(path+".lock"))
	}
	b, err := os.ReadFile(path)
	must(t, err)
	kept := filepath.Join(t.TempDir(), "ram.json") // in a checkout everybody may read the golden one
	must(t, securefile.Replace(kept, b))
	d := open(t, kept, ram.Options{})

	secret, alice, err := d.Key("LTAIalice", "")
	if err != nil || secret != "hers" {
		t.Errorf("%q, %v", secret, err)
	}
	must(t, d.Allowed(alice, ram.Request{Action: "oss:GetObject", Bucket: "photos", Owner: owner, Key: "cat"}))

	b, err = os.ReadFile(session)
	must(t, err)
	var s map[string]string
	must(t, json.Unmarshal(b, &s))
	secret, who, err := d.Key(s["id"], s["token"])
	if err != nil || secret != s["secret"] || who.ARN != writer+"/sess" {
		t.Errorf("%q, %+v, %v", secret, who, err)
	}
	must(t, d.Allowed(who, ram.Request{Action: "oss:PutObject", Bucket: "reports", Owner: owner, Key: "x"}))
	if d.Allowed(who, ram.Request{Action: "oss:GetObject", Bucket: "reports", Owner: owner, Key: "x"}) == nil {
		t.Error("the policy of the session is lost")
	}
}
