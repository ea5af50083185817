package ram_test

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/ram"
)

const writer = "acs:ram::" + owner + ":role/writer"

// movable is a directory with a settable time, and with a role that may read and
// write the bucket reports.
func movable(t *testing.T) (*ram.Directory, *time.Time) {
	t.Helper()
	clock := now
	d := newDirectory(t, ram.Options{Production: true, Now: func() time.Time { return clock }})
	_, err := d.CreateRole(owner, "writer", nil, 2*time.Hour)
	must(t, err)
	must(t, d.PutPolicy(owner, "reports", ram.Document(policy(`{"Effect":"Allow","Action":["oss:GetObject","oss:PutObject"],"Resource":"acs:oss:*:*:reports/*"}`))))
	must(t, d.AttachRolePolicy(owner, "writer", "reports"))
	return d, &clock
}

func rootIdentity(t *testing.T, d *ram.Directory) ram.Identity {
	t.Helper()
	_, who, err := d.Key(root.AccessKeyID, "")
	must(t, err)
	return who
}

func TestAssumeRole(t *testing.T) {
	d, clock := movable(t)
	c, err := d.Assume(rootIdentity(t, d), ram.AssumeRole{
		RoleARN: writer, SessionName: "sess", Duration: 2 * time.Hour,
		Policy: policy(`{"Effect":"Allow","Action":["oss:GetObject","oss:DeleteObject"],"Resource":"*"}`),
	})
	must(t, err)
	if !strings.HasPrefix(c.AccessKeyID, "STS.") || c.Identity.ARN != writer+"/sess" || !strings.HasSuffix(c.Identity.ID, ":sess") || !c.Expires.Equal(now.Add(2*time.Hour)) {
		t.Errorf("%+v", c)
	}
	if strings.Contains(c.Token, c.Secret) || strings.ContainsAny(c.Token, "+/= \n") {
		t.Errorf("token %q", c.Token)
	}
	secret, who, err := d.Key(c.AccessKeyID, c.Token)
	if err != nil || secret != c.Secret || who.ARN != c.Identity.ARN || who.Kind != ram.KindSession || who.Account != owner {
		t.Fatalf("%q, %+v, %v", secret, who, err)
	}
	// The session may do what both the role and its own policy allow.
	for action, want := range map[string]bool{"oss:GetObject": true, "oss:PutObject": false, "oss:DeleteObject": false} {
		err := d.Allowed(who, ram.Request{Action: action, Bucket: "reports", Owner: owner, Key: "x"})
		if (err == nil) != want {
			t.Errorf("%s: %v, want allowed=%v", action, err, want)
		}
	}
	// Not even what is public.
	if err := d.Allowed(who, ram.Request{Action: "oss:PutObject", Bucket: "photos", Owner: other, Key: "x", BucketACL: stocktake.PublicReadWrite}); err == nil {
		t.Error("a session does what its policy does not allow")
	}

	// The token is bound to its key, to its server and to its time.
	if _, _, err := d.Key(c.AccessKeyID+"x", c.Token); !errors.Is(err, ram.ErrTokenInvalid) {
		t.Errorf("of another key: %v", err)
	}
	if _, _, err := newDirectory(t, ram.Options{}).Key(c.AccessKeyID, c.Token); !errors.Is(err, ram.ErrTokenInvalid) {
		t.Errorf("on another server: %v", err)
	}
	for i := range len(c.Token) {
		changed := c.Token[:i] + string(rune('A'+(c.Token[i]+1)%26)) + c.Token[i+1:]
		if _, _, err := d.Key(c.AccessKeyID, changed); changed != c.Token && !errors.Is(err, ram.ErrTokenInvalid) {
			t.Fatalf("byte %d of %d changed: %v", i, len(c.Token), err)
		}
	}
	*clock = c.Expires.Add(-time.Second)
	if _, _, err := d.Key(c.AccessKeyID, c.Token); err != nil {
		t.Errorf("a second before its end: %v", err)
	}
	*clock = c.Expires
	if _, _, err := d.Key(c.AccessKeyID, c.Token); !errors.Is(err, ram.ErrTokenExpired) {
		t.Errorf("at its end: %v", err)
	}
	*clock = now
	// A role of the same name is another role.
	must(t, d.DeleteRole(owner, "writer"))
	_, err = d.CreateRole(owner, "writer", nil, 0)
	must(t, err)
	must(t, d.AttachRolePolicy(owner, "writer", "AdministratorAccess"))
	if _, _, err := d.Key(c.AccessKeyID, c.Token); !errors.Is(err, ram.ErrTokenInvalid) {
		t.Errorf("after its role was deleted: %v", err)
	}
	if err := d.Allowed(who, ram.Request{Action: "oss:GetObject", Bucket: "reports", Owner: owner, Key: "x"}); err == nil {
		t.Error("its identity got the rights of the new role")
	}
}

func TestTokensOutliveARestart(t *testing.T) {
	path := t.TempDir() + "/ram.json"
	d := open(t, path, ram.Options{})
	c, err := d.Assume(rootIdentity(t, d), ram.AssumeRole{RoleARN: writer, SessionName: "sess"})
	must(t, err)
	if secret, _, err := open(t, path, ram.Options{}).Key(c.AccessKeyID, c.Token); err != nil || secret != c.Secret {
		t.Errorf("%q, %v", secret, err)
	}
}

func TestAssumeRoleRefuses(t *testing.T) {
	d, _ := movable(t)
	who := identities(t, d, `{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"acs:ram:*:*:role/writer"}`)
	_, err := d.CreateRole(owner, "closed", ram.Document(`{"Version":"1","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"Service":"oss.aliyuncs.com"}}]}`), 0)
	must(t, err)
	_, err = d.CreateUser(owner, "bob")
	must(t, err)
	k, err := d.CreateKey(owner, "bob")
	must(t, err)
	_, who["bob"], err = d.Key(k.ID, "")
	must(t, err)

	denied := stocktake.ErrAccessDenied
	for _, tt := range []struct {
		name, who string
		ask       ram.AssumeRole
		want      error // nil: allowed
	}{
		{"account", "root", ram.AssumeRole{}, nil},
		{"user with the right", "alice", ram.AssumeRole{Duration: ram.MinSession}, nil},
		{"user without", "bob", ram.AssumeRole{}, denied},
		{"user of another account", "strange alice", ram.AssumeRole{}, ram.ErrNotTrusted},
		{"another account", "stranger", ram.AssumeRole{}, ram.ErrNotTrusted},
		{"anonymous", "anonymous", ram.AssumeRole{}, denied},
		{"role that trusts services only", "root", ram.AssumeRole{RoleARN: "acs:ram::" + owner + ":role/closed"}, ram.ErrNotTrusted},
		{"unknown role", "root", ram.AssumeRole{RoleARN: "acs:ram::" + owner + ":role/nobody"}, ram.ErrNoSuchRole},
		{"no ARN", "root", ram.AssumeRole{RoleARN: "writer"}, ram.ErrInvalidName},
		{"short session name", "root", ram.AssumeRole{SessionName: "x"}, ram.ErrInvalidName},
		{"odd session name", "root", ram.AssumeRole{SessionName: "a*b"}, ram.ErrInvalidName},
		{"too short", "root", ram.AssumeRole{Duration: time.Minute}, ram.ErrDuration},
		{"too long", "root", ram.AssumeRole{Duration: 3 * time.Hour}, ram.ErrDuration},
		{"negative", "root", ram.AssumeRole{Duration: -time.Hour}, ram.ErrDuration},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.ask.RoleARN == "" {
				tt.ask.RoleARN = writer
			}
			if tt.ask.SessionName == "" {
				tt.ask.SessionName = "sess"
			}
			c, err := d.Assume(who[tt.who], tt.ask)
			if !errors.Is(err, tt.want) || (err != nil) != (tt.want != nil) || (c.Token == "") != (err != nil) {
				t.Errorf("%+v, %v; want %v", c, err, tt.want)
			}
		})
	}
	// Trust policies have the conditions of the request.
	_, err = d.CreateRole(owner, "near", ram.Document(policy(`{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"RAM":["acs:ram::`+owner+`:root"]}}`,
		`{"Effect":"Deny","Action":"sts:AssumeRole","Principal":{"RAM":["acs:ram::`+owner+`:root"]},"Condition":{"IpAddress":{"acs:SourceIp":"10.0.0.0/8"}}}`,
		`{"Effect":"Deny","Action":"sts:AssumeRole","Principal":{"RAM":["acs:ram::`+owner+`:root"]},"Condition":{"Bool":{"acs:SecureTransport":"false"}}}`,
		`{"Effect":"Deny","Action":"sts:AssumeRole","Principal":{"RAM":["acs:ram::`+owner+`:root"]},"Condition":{"StringLike":{"acs:UserAgent":"bad*"}}}`)), 0)
	must(t, err)
	for name, ev := range map[string]ram.AssumeRole{
		"":          {SourceIP: netip.MustParseAddr("192.168.0.1"), Secure: true},
		"network":   {SourceIP: netip.MustParseAddr("10.0.0.1"), Secure: true},
		"plain":     {SourceIP: netip.MustParseAddr("192.168.0.1")},
		"userAgent": {SourceIP: netip.MustParseAddr("192.168.0.1"), Secure: true, UserAgent: "badbot"},
	} {
		ev.RoleARN, ev.SessionName = "acs:ram::"+owner+":role/near", "sess"
		if _, err := d.Assume(who["root"], ev); (err == nil) != (name == "") || err != nil && !errors.Is(err, ram.ErrNotTrusted) {
			t.Errorf("condition on %q: %v", name, err)
		}
	}
	for name, doc := range map[string][]byte{"no policy": []byte("{}"), "long": policy(strings.Repeat(" ", ram.MaxSessionPolicy))} {
		_, err := d.Assume(who["root"], ram.AssumeRole{RoleARN: writer, SessionName: "sess", Policy: doc})
		if _, ok := errors.AsType[*ram.PolicyError](err); !ok {
			t.Errorf("%s: %v", name, err)
		}
	}
	// The token can hold the largest valid session.
	long := strings.Repeat("n", 64)
	_, err = d.CreateRole(owner, long, nil, 0)
	must(t, err)
	doc := policy(`{"Effect":"Allow","Action":"oss:*","Resource":"*"}`)
	doc = append(doc, strings.Repeat(" ", ram.MaxSessionPolicy-len(doc))...)
	if _, err := d.Assume(who["root"], ram.AssumeRole{RoleARN: "acs:ram::" + owner + ":role/" + long, SessionName: long, Policy: doc}); err != nil {
		t.Error(err)
	}
}

func TestRunsActAsTheirRole(t *testing.T) {
	put := ram.Request{Action: "oss:PutObject", Bucket: "reports", Owner: owner, Key: "x"}
	t.Run("development", func(t *testing.T) {
		d := newDirectory(t, ram.Options{})
		who, err := d.RoleIdentity(writer)
		must(t, err)
		if err := d.Allowed(who, put); err != nil || who.ARN != writer+"/inventory" {
			t.Errorf("%+v: %v", who, err)
		}
		put := put
		put.Owner = other
		if err := d.Allowed(who, put); err == nil {
			t.Error("writes into a bucket of another account")
		}
		if _, err := d.RoleIdentity("acs:ram::" + other + ":role/writer"); !errors.Is(err, ram.ErrNoSuchRole) {
			t.Errorf("role of an account that is not there: %v", err)
		}
		// No caller gets the rights of the account through an undefined role.
		all := identities(t, d, `{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"*"}`)
		for name, i := range all {
			_, err := d.Assume(i, ram.AssumeRole{RoleARN: writer, SessionName: "sess"})
			if (err == nil) != (name == "root") {
				t.Errorf("%s assumes an undefined role: %v", name, err)
			}
		}
		// Once a role is defined, an undefined one has no identity, even if it was in
		// use.
		c, err := d.Assume(all["root"], ram.AssumeRole{RoleARN: writer, SessionName: "sess"})
		must(t, err)
		_, err = d.CreateRole(owner, "another", nil, 0)
		must(t, err)
		if err := d.Allowed(who, put); err == nil {
			t.Error("still acts as its account")
		}
		if _, _, err := d.Key(c.AccessKeyID, c.Token); !errors.Is(err, ram.ErrTokenInvalid) {
			t.Errorf("its session: %v", err)
		}
	})
	t.Run("production", func(t *testing.T) {
		d, _ := movable(t)
		if _, err := d.RoleIdentity("acs:ram::" + owner + ":role/nobody"); !errors.Is(err, ram.ErrNoSuchRole) {
			t.Errorf("undefined role: %v", err)
		}
		if _, err := d.RoleIdentity("rubbish"); !errors.Is(err, ram.ErrNoSuchRole) {
			t.Errorf("no ARN: %v", err)
		}
		who, err := d.RoleIdentity(writer)
		must(t, err)
		must(t, d.Allowed(who, put))
		// Lost rights take effect at once; the next run gets an error.
		must(t, d.DetachRolePolicy(owner, "writer", "reports"))
		if err := d.Allowed(who, put); err == nil || !strings.Contains(err.Error(), "may not oss:PutObject on acs:oss:*:"+owner+":reports/x") {
			t.Errorf("%v", err)
		}
		must(t, d.SetTrust(owner, "writer", ram.Document(`{"Version":"1","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"RAM":"acs:ram::`+owner+`:root"}}]}`)))
		if _, err := d.RoleIdentity(writer); !errors.Is(err, ram.ErrNotTrusted) {
			t.Errorf("role that does not trust the inventory: %v", err)
		}
		roles, err := d.Roles(owner)
		must(t, err)
		if len(roles) != 1 || roles[0].Name != "writer" || len(roles[0].Policies) != 0 || roles[0].MaxSession != 7200 {
			t.Errorf("roles %+v", roles)
		}
		// A bucket policy may name the session, the role, or all of either.
		for _, principal := range []string{
			"arn:sts::" + owner + ":assumed-role/writer/inventory", "arn:sts::" + owner + ":assumed-role/*/*",
			"acs:ram::" + owner + ":role/writer", "acs:ram::" + owner + ":root", "*",
		} {
			put := put
			put.Policy = policy(`{"Effect":"Allow","Action":"oss:PutObject","Principal":["` + principal + `"],"Resource":"*"}`)
			if err := d.Allowed(who, put); err != nil {
				t.Errorf("%s: %v", principal, err)
			}
		}
		put := put
		put.Policy = policy(`{"Effect":"Allow","Action":"oss:PutObject","Principal":["arn:sts::` + owner + `:assumed-role/other/*","` + owner + `"],"Resource":"*"}`)
		if err := d.Allowed(who, put); err == nil {
			t.Error("the policy names others")
		}
	})
}

// Callers that may pass the role to the service.
func TestPassRole(t *testing.T) {
	onWriter := `"Action":"ram:PassRole","Resource":"acs:ram::` + owner + `:role/writer"`
	q := ram.Request{SourceIP: netip.MustParseAddr("10.0.0.1")}
	for name, c := range map[string]struct {
		policy, who, role string
		allowed           bool
	}{
		"account":              {`"Effect":"Allow","Action":"oss:*","Resource":"*"`, "root", "writer", true},
		"user without":         {`"Effect":"Allow","Action":"oss:*","Resource":"*"`, "alice", "writer", false},
		"user with":            {`"Effect":"Allow",` + onWriter, "alice", "writer", true},
		"another role":         {`"Effect":"Allow",` + onWriter, "alice", "admin", false},
		"denied":               {`"Effect":"Allow","Action":"*","Resource":"*"},{"Effect":"Deny",` + onWriter, "alice", "writer", false},
		"to this service":      {`"Effect":"Allow",` + onWriter + `,"Condition":{"StringEquals":{"acs:Service":"oss.aliyuncs.com"}}`, "alice", "writer", true},
		"to another service":   {`"Effect":"Allow",` + onWriter + `,"Condition":{"StringEquals":{"acs:Service":"ecs.aliyuncs.com"}}`, "alice", "writer", false},
		"from another network": {`"Effect":"Allow",` + onWriter + `,"Condition":{"NotIpAddress":{"acs:SourceIp":"10.0.0.0/8"}}`, "alice", "writer", false},
		"another account":      {`"Effect":"Allow","Action":"*","Resource":"*"`, "stranger", "writer", false},
		"user of another one":  {`"Effect":"Allow","Action":"*","Resource":"*"`, "strange alice", "writer", false},
		"anonymous":            {`"Effect":"Allow","Action":"*","Resource":"*"`, "anonymous", "writer", false},
	} {
		d := newDirectory(t, ram.Options{})
		who := identities(t, d, "{"+c.policy+"}")
		err := d.PassRole(who[c.who], "acs:ram::"+owner+":role/"+c.role, q)
		if (err == nil) != c.allowed || err != nil && !errors.Is(err, stocktake.ErrAccessDenied) {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && !strings.Contains(err.Error(), "may not ram:PassRole on acs:ram::"+owner+":role/"+c.role) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := newDirectory(t, ram.Options{}).PassRole(ram.Identity{}, "writer", q); !errors.Is(err, ram.ErrInvalidName) {
		t.Errorf("no ARN: %v", err)
	}
}
