package sts

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"

	"github.com/stocktake/stocktake/internal/ossxml"
)

// An assumeRoleResponse is the answer to a call.
type assumeRoleResponse struct {
	RequestID       string `json:"RequestId"`
	AssumedRoleUser struct {
		ARN string `json:"Arn"`
		ID  string `json:"AssumedRoleId"`
	}
	Credentials struct {
		AccessKeyID     string `json:"AccessKeyId"`
		AccessKeySecret string
		Expiration      string
		SecurityToken   string
	}
}

func (a *assumeRoleResponse) writeXML(x *ossxml.Writer) {
	x.Start("AssumeRoleResponse")
	x.Text("RequestId", a.RequestID)
	x.Start("AssumedRoleUser")
	x.Text("Arn", a.AssumedRoleUser.ARN)
	x.Text("AssumedRoleId", a.AssumedRoleUser.ID)
	x.End("AssumedRoleUser")
	x.Start("Credentials")
	x.Text("AccessKeyId", a.Credentials.AccessKeyID)
	x.Text("AccessKeySecret", a.Credentials.AccessKeySecret)
	x.Text("Expiration", a.Credentials.Expiration)
	x.Text("SecurityToken", a.Credentials.SecurityToken)
	x.End("Credentials")
	x.End("AssumeRoleResponse")
}

// An errorResponse is the answer to a rejected call.
type errorResponse struct {
	RequestID string `json:"RequestId"`
	HostID    string `json:"HostId"`
	Code      string
	Message   string
	Recommend string
}

func (e *errorResponse) writeXML(x *ossxml.Writer) {
	x.Start("Error")
	x.Text("RequestId", e.RequestID)
	x.Text("HostId", e.HostID)
	x.Text("Code", e.Code)
	x.Text("Message", e.Message)
	x.Text("Recommend", e.Recommend)
	x.End("Error")
}

func newErrorResponse(e *callError, requestID, host string) *errorResponse {
	return &errorResponse{
		RequestID: requestID, HostID: host, Code: e.code, Message: e.message,
		Recommend: "https://api.aliyun.com/troubleshoot?" + url.Values{"q": {e.code}, "product": {"Sts"}}.Encode(),
	}
}

// writeReply sends an answer, in XML unless the call asks for JSON.
func writeReply(w http.ResponseWriter, status int, requestID string, asJSON bool, answer interface{ writeXML(*ossxml.Writer) }) {
	var body []byte
	var err error
	kind := "application/json;charset=utf-8"
	if asJSON {
		body, err = json.Marshal(answer)
	} else {
		kind = "text/xml;charset=utf-8"
		x := ossxml.Writer{Buf: []byte("<?xml version='1.0' encoding='UTF-8'?>"), Strict: true}
		answer.writeXML(&x)
		body = x.Buf
	}
	if err != nil { // unreachable: these types can be encoded
		status, body = http.StatusInternalServerError, nil
	}
	h := w.Header()
	h.Set("Content-Type", kind)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("Cache-Control", "no-store")
	h.Set("X-Acs-Request-Id", requestID)
	w.WriteHeader(status)
	_, _ = w.Write(body) // an error means that the client has left
}
