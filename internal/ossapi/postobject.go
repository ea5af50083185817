package ossapi

import (
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/ossapi/postform"
	"github.com/stocktake/stocktake/internal/ossapi/request"
	"github.com/stocktake/stocktake/internal/ossxml"
	"github.com/stocktake/stocktake/internal/signature"
)

// postObject answers PostObject, the upload of a file with a browser's form. The
// form contains its signature and the policy of its signer.
//
// Source: OSS API reference, PostObject.
func (c *call) postObject() error {
	c.body.LimitTotal()
	form, err := postform.Read(c.r.Header, c.body)
	if err != nil {
		return err
	}
	c.body.LiftLimit() // the file has no limit in total
	key, ok := form.Fields["key"]
	if !ok {
		return request.InvalidArgument("key", "", "Bucket POST must contain a field named 'key', before the file")
	}
	if c.at.Key, ok = withFilename(key, form.Filename); !ok || !stocktake.ValidKey(c.at.Key) {
		return request.ErrInvalidObjectName
	}
	sized, err := c.admitForm(form)
	if err != nil {
		return err
	}
	if err := c.allow("oss:PutObject"); err != nil {
		return err
	}
	answer, err := readPostAnswer(form)
	if err != nil {
		return err
	}
	c.r = c.r.Clone(c.ctx) // the rest reads headers, which a form has as fields
	agent := c.r.UserAgent()
	c.r.Header = form.Header()
	c.r.Header.Set("User-Agent", agent)
	p, err := c.newPut()
	if err != nil {
		return err
	}
	p.Size = -1
	var back *callback
	if c.asksForCallback() {
		if back, err = c.readCallback(); err != nil {
			return err
		}
		for name, value := range form.Fields {
			if strings.HasPrefix(name, "x:") && back.vars[name] == "" {
				back.set(name, value)
			}
		}
	}
	info, err := c.Store.PutObject(c.ctx, c.origin(), p, sized)
	if err != nil {
		return err
	}
	if back != nil {
		return c.sendCallback(back, &info)
	}
	c.setWriteHeaders(&info)
	return c.answerPost(answer, &info)
}

// withFilename inserts the name of the file into a key. It reports false, before it
// allocates memory, if the result would be too long: a short key can repeat a long
// name many times.
func withFilename(key, filename string) (string, bool) {
	const variable = "${filename}"
	if len(key)+strings.Count(key, variable)*(len(filename)-len(variable)) > stocktake.MaxKeyLength {
		return "", false
	}
	return strings.ReplaceAll(key, variable, filename), true
}

// admitForm authenticates the signer of a form and checks the form against its
// policy. It returns the file, bounded as the policy and OSS require.
func (c *call) admitForm(form *postform.Form) (io.Reader, error) {
	auth, err := signature.ParseForm(form.Field)
	if err != nil || auth == nil && form.Field("policy") == "" {
		return form.File(0, object.MaxPartSize), err // an anonymous form may do what an anonymous PutObject may
	}
	if auth != nil {
		secret, who, err := c.Access.Key(auth.AccessKeyID, auth.SecurityToken)
		if err != nil {
			return nil, err
		}
		if err := auth.Verify(secret); err != nil {
			return nil, err
		}
		c.who = who
	}
	policy, err := postform.ParsePolicy(form.Field("policy"))
	if err != nil {
		return nil, err
	}
	field := func(name string) string {
		switch name {
		case "bucket":
			return c.at.Bucket
		case "key":
			return c.at.Key
		}
		return form.Field(name)
	}
	return form.File(policy.Least, min(policy.Most, object.MaxPartSize)), policy.Check(c.Now(), field)
}

// A postAnswer is the answer that the client asks for.
type postAnswer struct {
	redirect *url.URL // nil: no
	status   string   // "200", "201"; anything else is 204
}

func readPostAnswer(form *postform.Form) (a postAnswer, err error) {
	a.status = form.Field("success_action_status")
	to := form.Field("success_action_redirect")
	if to == "" {
		return a, nil
	}
	a.redirect, err = url.Parse(to)
	if err != nil || a.redirect.Scheme != "http" && a.redirect.Scheme != "https" || a.redirect.Host == "" {
		return a, request.InvalidArgument("success_action_redirect", to, "an absolute URL is expected")
	}
	return a, nil
}

// answerPost answers a form whose file is stored.
func (c *call) answerPost(a postAnswer, info *object.Info) error {
	delete(c.w.Header(), "Content-MD5") // clients would take it for the digest of the answer
	if a.redirect != nil {
		q := a.redirect.Query()
		q.Set("bucket", c.at.Bucket)
		q.Set("key", c.at.Key)
		q.Set("etag", quoteETag(info))
		a.redirect.RawQuery = q.Encode()
		c.set("Location", a.redirect.String())
		return c.empty(http.StatusSeeOther)
	}
	location := c.urlOf(c.at.Bucket, c.at.Key)
	switch a.status {
	case "200":
		return c.empty(http.StatusOK)
	case "201":
		c.set("Location", location)
		x := ossxml.Writer{Buf: []byte(ossxml.Header)}
		x.Start("PostResponse")
		x.Text("Bucket", c.at.Bucket)
		x.Text("Location", location)
		x.Text("Key", c.at.Key)
		x.Text("ETag", quoteETag(info))
		x.End("PostResponse")
		return c.document(http.StatusCreated, "application/xml", x.Buf)
	}
	return c.empty(http.StatusNoContent)
}
