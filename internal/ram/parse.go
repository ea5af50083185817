package ram

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/stocktake/stocktake"
)

// ParsePolicy reads and validates a policy document. The error is a
// *PolicyError.
//
// Names of elements and operators are case-sensitive, as documented. An unknown one
// is an error, because a policy that is only partly understood must not take
// effect.
func ParsePolicy(kind PolicyKind, doc []byte) (*Policy, error) {
	switch {
	case len(doc) > kind.max():
		return nil, &PolicyError{Reason: fmt.Sprintf("it has %d bytes, more than %d", len(doc), kind.max())}
	case !utf8.Valid(doc):
		return nil, &PolicyError{Reason: "it is not UTF-8"}
	}
	p := &Policy{kind: kind}
	seen := map[string]bool{}
	err := eachMember(doc, func(name string, value json.RawMessage) error {
		seen[name] = true
		switch name {
		case "Version":
			var v string
			if json.Unmarshal(value, &v) != nil || v != "1" {
				return &PolicyError{Element: name, Value: bounded(string(value)), Reason: `it must be "1"`}
			}
			return nil
		case "Statement":
			return p.parseStatements(value)
		case "Id":
			return nil
		}
		return &PolicyError{Element: bounded(name), Reason: "unknown element"}
	})
	switch {
	case err != nil:
		return nil, asPolicyError(err, 0)
	case !seen["Version"]:
		return nil, &PolicyError{Element: "Version", Reason: "it is missing"}
	case len(p.statements) == 0:
		return nil, &PolicyError{Element: "Statement", Reason: "there is none"}
	}
	p.markPublic()
	return p, nil
}

func (p *Policy) parseStatements(raw json.RawMessage) error {
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) != nil {
		list = []json.RawMessage{raw} // a single one may be written without a list
	}
	for i, raw := range list {
		s, err := parseStatement(p.kind, raw)
		if err != nil {
			return asPolicyError(err, i+1)
		}
		p.statements = append(p.statements, s)
	}
	return nil
}

func parseStatement(kind PolicyKind, raw json.RawMessage) (s statement, err error) {
	seen := map[string]bool{}
	err = eachMember(raw, func(name string, value json.RawMessage) (err error) {
		seen[name] = true
		switch {
		case name == "Sid":
			return nil
		case name == "Effect":
			var v string
			if json.Unmarshal(value, &v) != nil || v != "Allow" && v != "Deny" {
				return &PolicyError{Element: name, Value: bounded(string(value)), Reason: `it must be "Allow" or "Deny"`}
			}
			s.deny = v == "Deny"
		case name == "Action" || name == "NotAction":
			s.actions.not = name == "NotAction"
			s.actions.list, err = parseActions(name, value)
		case (name == "Resource" || name == "NotResource") && kind != TrustPolicy:
			s.notResource = name == "NotResource"
			s.resources, err = parseResources(name, value)
		case name == "Principal" && kind == BucketPolicy:
			err = s.parsePrincipals(value)
		case name == "Principal" && kind == TrustPolicy:
			err = s.parseTrusted(value)
		case name == "Condition":
			s.conditions, err = parseConditions(value)
		default:
			return &PolicyError{Element: bounded(name), Reason: "unknown element, or one that this kind of policy does not have"}
		}
		return err
	})
	if err != nil {
		return s, err
	}
	for _, pair := range [...][2]string{{"Action", "NotAction"}, {"Resource", "NotResource"}} {
		switch {
		case seen[pair[0]] && seen[pair[1]]:
			return s, &PolicyError{Element: pair[0], Reason: "it cannot be used together with " + pair[1]}
		case !seen[pair[0]] && !seen[pair[1]] && !(pair[0] == "Resource" && kind == TrustPolicy):
			return s, &PolicyError{Element: pair[0], Reason: "it is missing"}
		}
	}
	switch {
	case !seen["Effect"]:
		return s, &PolicyError{Element: "Effect", Reason: "it is missing"}
	case kind == TrustPolicy && !seen["Principal"]:
		return s, &PolicyError{Element: "Principal", Reason: "it is missing"}
	case kind == BucketPolicy && !seen["Principal"]:
		s.anyone = true // OSS accepts a bucket policy without Principal
	}
	return s, nil
}

// parseActions reads patterns such as "oss:Get*" and "*", and returns them in
// lower case.
func parseActions(element string, raw json.RawMessage) ([]string, error) {
	list, err := texts(element, raw)
	if err != nil {
		return nil, err
	}
	for i, a := range list {
		service, name, ok := strings.Cut(a, ":")
		if a != "*" && (!ok || service == "" || name == "" || strings.ContainsAny(a, " /")) {
			return nil, &PolicyError{Element: element, Value: bounded(a), Reason: "it must be of the form service:Operation, with * and ? as wildcards, or *"}
		}
		list[i] = lowerASCII(a)
	}
	return list, nil
}

// parseResources reads patterns such as "acs:oss:*:*:bucket/*" and "*".
func parseResources(element string, raw json.RawMessage) ([]resource, error) {
	list, err := texts(element, raw)
	if err != nil {
		return nil, err
	}
	resources := make([]resource, 0, len(list))
	for _, text := range list {
		if text == "*" {
			resources = append(resources, resource{"*", "*", "*", "*"})
			continue
		}
		f := strings.SplitN(text, ":", 5)
		if len(f) != 5 || f[0] != "acs" || f[1] == "" || f[4] == "" {
			return nil, &PolicyError{Element: element, Value: bounded(text), Reason: "it must be of the form acs:oss:region:account:bucket/key, with * and ? as wildcards, or *"}
		}
		resources = append(resources, resource{f[1], f[2], f[3], f[4]})
	}
	return resources, nil
}

// parsePrincipals reads the principals of a bucket policy: UIDs, "*", sessions, and
// ARNs of RAM. An empty list means everyone.
func (s *statement) parsePrincipals(raw json.RawMessage) error {
	var list []string
	if string(bytes.TrimSpace(raw)) != "[]" {
		var err error
		if list, err = texts("Principal", raw); err != nil {
			return err
		}
	}
	s.anyone = len(list) == 0
	for _, text := range list {
		switch {
		case text == "*":
			s.anyone = true
		case stocktake.ValidAccountID(unbracketed(text)): // users have UIDs of the same form
			s.principals = append(s.principals, principal{id: unbracketed(text)})
		case validSessionPattern(text):
			s.principals = append(s.principals, principal{session: text})
		default:
			p, ok := parseRAMPrincipal(text)
			if !ok {
				return &PolicyError{
					Element: "Principal", Value: bounded(text),
					Reason: "it must be a UID, *, arn:sts::uid:assumed-role/role/session, acs:ram::uid:root, acs:ram::uid:user/name or acs:ram::uid:role/name",
				}
			}
			s.principals = append(s.principals, p)
		}
	}
	return nil
}

// unbracketed returns the UID in a text such as "[1234]", which OSS accepts.
func unbracketed(text string) string {
	if inner, ok := strings.CutPrefix(text, "["); ok {
		if inner, ok = strings.CutSuffix(inner, "]"); ok {
			return inner
		}
	}
	return text
}

// validSessionPattern accepts "arn:sts::<account>:assumed-role/<role>/<session>"
// with wildcards in role and session.
func validSessionPattern(text string) bool {
	rest, ok := strings.CutPrefix(text, "arn:sts::")
	account, rest, ok2 := strings.Cut(rest, ":assumed-role/")
	return ok && ok2 && stocktake.ValidAccountID(account) && strings.Count(rest, "/") == 1
}

func parseRAMPrincipal(text string) (principal, bool) {
	rest, ok := strings.CutPrefix(text, "acs:ram::")
	if !ok {
		return principal{}, false
	}
	account, name, ok := strings.Cut(rest, ":")
	if !ok || !stocktake.ValidAccountID(account) {
		return principal{}, false
	}
	kind, name, _ := strings.Cut(name, "/")
	switch {
	case kind == "root" && name == "":
		return principal{account: account}, true
	case kind == "user" && validUserName(name), kind == "role" && validRoleName(name):
		return principal{arn: text}, true
	}
	return principal{}, false
}

// parseTrusted reads {"RAM": [ARN, ...], "Service": [name, ...]}.
func (s *statement) parseTrusted(raw json.RawMessage) error {
	return eachMember(raw, func(name string, value json.RawMessage) error {
		element := "Principal/" + name
		if name != "RAM" && name != "Service" {
			return &PolicyError{Element: bounded(element), Reason: "unknown kind of principal; RAM and Service are supported"}
		}
		list, err := texts(element, value)
		if err != nil {
			return err
		}
		for _, text := range list {
			if name == "Service" {
				s.principals = append(s.principals, principal{service: text})
				continue
			}
			p, ok := parseRAMPrincipal(text)
			if !ok {
				return &PolicyError{Element: element, Value: bounded(text), Reason: "it must be acs:ram::uid:root, acs:ram::uid:user/name or acs:ram::uid:role/name"}
			}
			s.principals = append(s.principals, p)
		}
		return nil
	})
}

// eachMember calls visit for each member of a JSON object, in order. encoding/json
// alone would accept names in any case, and the last of two members with the same
// name.
func eachMember(raw []byte, visit func(name string, value json.RawMessage) error) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return notJSON(err)
	}
	seen := map[string]bool{}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return notJSON(err)
		}
		name, _ := t.(string)
		if seen[name] {
			return &PolicyError{Element: bounded(name), Reason: "it is given twice"}
		}
		seen[name] = true
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return notJSON(err)
		}
		if err := visit(name, value); err != nil {
			return err
		}
	}
	if _, err := d.Token(); err != nil { // the closing brace
		return notJSON(err)
	}
	if _, err := d.Token(); err != io.EOF {
		return notJSON(nil)
	}
	return nil
}

func notJSON(err error) error {
	if err == nil || err == io.EOF {
		return &PolicyError{Reason: "a JSON object is expected"}
	}
	return &PolicyError{Reason: "not JSON: " + err.Error()}
}

// texts reads a non-empty string or a list of them.
func texts(element string, raw json.RawMessage) ([]string, error) {
	var list []string
	var one string
	if json.Unmarshal(raw, &one) == nil && string(bytes.TrimSpace(raw)) != "null" {
		list = []string{one}
	} else if json.Unmarshal(raw, &list) != nil {
		return nil, &PolicyError{Element: bounded(element), Reason: "a string or a list of strings is expected"}
	}
	for _, s := range list {
		if s == "" {
			return nil, &PolicyError{Element: bounded(element), Reason: "it holds an empty string"}
		}
	}
	if len(list) == 0 {
		return nil, &PolicyError{Element: bounded(element), Reason: "it is empty"}
	}
	return list, nil
}

func asPolicyError(err error, statement int) error {
	if e, ok := err.(*PolicyError); ok && e.Statement == 0 {
		e.Statement = statement
	}
	return err
}

func bounded(s string) string { return s[:min(len(s), 200)] }
