package sts

import (
	"encoding/json"
	"encoding/xml"
	"net/http"
	"net/url"
	"strconv"
)

// An assumeRoleResponse is the answer to a call.
type assumeRoleResponse struct {
	XMLName         xml.Name `json:"-" xml:"AssumeRoleResponse"`
	RequestID       string   `json:"RequestId" xml:"RequestId"`
	AssumedRoleUser struct {
		ARN string `json:"Arn" xml:"Arn"`
		ID  string `json:"AssumedRoleId" xml:"AssumedRoleId"`
	}
	Credentials struct {
		AccessKeyID     string `json:"AccessKeyId" xml:"AccessKeyId"`
		AccessKeySecret string
		Expiration      string
		SecurityToken   string
	}
}

// An errorResponse is the answer to a call that is refused.
type errorResponse struct {
	XMLName   xml.Name `json:"-" xml:"Error"`
	RequestID string   `json:"RequestId" xml:"RequestId"`
	HostID    string   `json:"HostId" xml:"HostId"`
	Code      string
	Message   string
	Recommend string
}

func newErrorResponse(e *callError, requestID, host string) *errorResponse {
	return &errorResponse{
		RequestID: requestID, HostID: host, Code: e.code, Message: e.message,
		Recommend: "https://api.aliyun.com/troubleshoot?" + url.Values{"q": {e.code}, "product": {"Sts"}}.Encode(),
	}
}

// write sends an answer. XML is what STS sends if a call does not say.
func write(w http.ResponseWriter, status int, requestID string, asJSON bool, answer any) {
	var body []byte
	var err error
	kind := "application/json;charset=utf-8"
	if asJSON {
		body, err = json.Marshal(answer)
	} else {
		kind = "text/xml;charset=utf-8"
		if body, err = xml.Marshal(answer); err == nil {
			body = append([]byte("<?xml version='1.0' encoding='UTF-8'?>"), body...)
		}
	}
	if err != nil { // of types that have no way to fail
		status, body = http.StatusInternalServerError, nil
	}
	h := w.Header()
	h.Set("Content-Type", kind)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("Cache-Control", "no-store")
	h.Set("X-Acs-Request-Id", requestID)
	w.WriteHeader(status)
	_, _ = w.Write(body) // nobody is left to tell
}
