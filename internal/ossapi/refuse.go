package ossapi

import (
	"encoding/base64"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/lifecycle"
	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/ossapi/request"
	"github.com/stocktake/stocktake/internal/ossxml"
	"github.com/stocktake/stocktake/internal/ram"
	"github.com/stocktake/stocktake/internal/signature"
)

// withEC adds the diagnostic code ec to err if err is target.
func withEC(err, target error, ec string) error {
	if errors.Is(err, target) {
		return &request.DetailError{Err: err, EC: ec}
	}
	return err
}

// An errorReply is the answer of OSS to an error.
type errorReply struct {
	status            int
	code, message, ec string
	about             about
	fields            [][2]string // further elements, in order
	header            [][2]string
	internal          bool // an error of ours, to be logged
}

// newReply returns the reply to err. It is the only function that maps errors to
// codes.
func newReply(err error) errorReply {
	var p errorReply
	if e, ok := errors.AsType[*stocktake.InvalidArgumentError](err); ok {
		p = errorReply{status: 400, code: "InvalidArgument", message: e.Error(), ec: e.EC}
		p.fields = [][2]string{{"ArgumentName", e.Element}, {"ArgumentValue", e.Value}}
	} else if e, ok := errors.AsType[*stocktake.MalformedXMLError](err); ok {
		p = errorReply{status: 400, code: "MalformedXML", message: malformedXML, ec: e.EC}
		p.fields = [][2]string{{"ErrorDetail", request.Bounded(e.Reason)}}
	} else if e, ok := errors.AsType[*signature.Error](err); ok {
		p = signatureReply(e)
	} else if e, ok := errors.AsType[*ram.DeniedError](err); ok {
		p = errorReply{status: 403, code: "AccessDenied", message: e.Message, ec: e.EC}
		p.fields = [][2]string{
			{"AuthAction", e.Action}, {"AuthPrincipalType", e.Who.Kind.String()}, {"NoPermissionType", e.Reason.String()},
		}
	} else if e, ok := errors.AsType[*ram.PolicyError](err); ok {
		p = errorReply{status: 400, code: "InvalidPolicyDocument", message: "The policy document is not valid: " + request.Bounded(e.Error()) + "."}
	} else if e, ok := errors.AsType[*lifecycle.OverlapError](err); ok {
		p = errorReply{status: 400, code: "InvalidRequest", message: e.Error(), ec: e.EC}
	} else if e, ok := errors.AsType[*object.PositionError](err); ok {
		p = errorReply{status: 409, code: "PositionNotEqualToLength", message: "Position is not equal to file length", ec: "0026-00000016", about: aboutKey}
		p.header = [][2]string{{"x-oss-next-append-position", strconv.FormatInt(e.Length, 10)}}
	} else {
		p = tableReply(err)
	}
	if e, ok := errors.AsType[*stocktake.IncrementalDisabledError](err); ok {
		p.message = strings.TrimSuffix(p.message, ".") + ": " + e.Reason + "."
	}
	if e, ok := errors.AsType[*object.DeleteMarkerError](err); ok {
		p.header = append(p.header, [2]string{"x-oss-delete-marker", "true"}, [2]string{"x-oss-version-id", e.VersionID})
	}
	if e, ok := errors.AsType[*request.DetailError](err); ok {
		if e.EC != "" {
			p.ec = e.EC
		}
		if e.Text != "" {
			p.message = e.Text
		}
		p.fields = append(p.fields, e.Fields...)
		p.header = append(p.header, e.Header...)
	}
	return p
}

func tableReply(err error) errorReply {
	for i := range errorTable {
		if r := &errorTable[i]; errors.Is(err, r.err) {
			return errorReply{status: r.status, code: r.code, message: r.message, ec: r.ec, about: r.about}
		}
	}
	return errorReply{
		status: http.StatusInternalServerError, code: "InternalError",
		message: "Please contact the server administrator, oss@service.aliyun.com", internal: true,
	}
}

func signatureReply(e *signature.Error) errorReply {
	p := errorReply{status: http.StatusForbidden, code: string(e.Code), message: e.Message, ec: e.EC}
	if e.Code == signature.InvalidArgument {
		p.status = http.StatusBadRequest
		p.fields = append(p.fields, [2]string{"ArgumentName", e.Argument}, [2]string{"ArgumentValue", e.Value})
	}
	for _, f := range [][2]string{
		{"OSSAccessKeyId", e.AccessKeyID},
		{"SignatureProvided", e.SignatureProvided},
		{"StringToSign", e.StringToSign},
		{"CanonicalRequest", e.CanonicalRequest},
		{"RequestTime", timeText(e.RequestTime)},
		{"ServerTime", timeText(e.ServerTime)},
	} {
		if f[1] != "" {
			p.fields = append(p.fields, f)
		}
	}
	return p
}

func timeText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return string(ossxml.AppendTime(nil, t))
}

// maxErrHeader bounds the error document in a header, in bytes: Node reads
// headers of 16 KB in all, base64 takes a third more.
const maxErrHeader = 6 << 10

// refuse answers with an error.
func (c *call) refuse(err error) {
	p := newReply(err)
	c.code, c.ec = p.code, p.ec
	if p.internal {
		c.Log.ErrorContext(c.ctx, "request failed", c.attrs("err", err)...)
	}
	if c.w.status != 0 {
		// Part of the answer has been sent: break the connection, so that the client
		// does not take this part for the whole.
		panic(http.ErrAbortHandler)
	}
	h := c.w.Header()
	for _, name := range []string{"Content-Length", "Content-Type", "Content-Encoding", "Content-Range", "Accept-Ranges"} {
		delete(h, name) // of an answer that was being prepared
	}
	for _, f := range p.header {
		c.set(f[0], f[1])
	}
	c.set("x-oss-ec", p.ec)
	body := c.errorDocument(&p)
	switch {
	case p.status == http.StatusNotModified:
		c.w.WriteHeader(p.status)
	case c.r.Method == http.MethodHead:
		if len(body) > maxErrHeader {
			p.fields = nil // mostly the text that was signed
			body = c.errorDocument(&p)
		}
		c.set("x-oss-err", base64.StdEncoding.EncodeToString(body))
		_ = c.empty(p.status)
	default:
		_ = c.document(p.status, "application/xml", body)
	}
}

// attrs returns the attributes of every log line about a request. They contain no
// header, parameter or signature.
func (c *call) attrs(more ...any) []any {
	return append([]any{
		"request", c.id, "operation", c.opName(), "method", c.r.Method,
		"bucket", request.Bounded(c.at.Bucket), "key", request.Bounded(c.at.Key), "address", c.sourceIP(),
	}, more...)
}

func (c *call) errorDocument(p *errorReply) []byte {
	x := ossxml.Writer{Buf: append(make([]byte, 0, 512), ossxml.Header...), Strict: true}
	x.Start("Error")
	x.Text("Code", p.code)
	x.Text("Message", p.message)
	x.Text("RequestId", c.id)
	x.Text("HostId", request.Bounded(c.r.Host))
	if p.about != aboutNothing && len(p.fields) == 0 {
		x.Optional("BucketName", request.Bounded(c.at.Bucket))
		if p.about == aboutKey {
			x.Optional("Key", c.at.Key)
		}
	}
	for _, f := range p.fields {
		x.Text(f[0], f[1])
	}
	if p.ec != "" {
		x.Text("EC", p.ec)
		x.Text("RecommendDoc", "https://api.aliyun.com/troubleshoot?q="+p.ec)
	}
	x.End("Error")
	return x.Buf
}
