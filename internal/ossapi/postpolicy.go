package ossapi

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/stocktake/stocktake/internal/ossapi/request"
)

// A postPolicy says what a signed form may upload, and until when.
//
// Source: OSS API reference, PostObject, policy.
type postPolicy struct {
	expires    time.Time
	conditions []postCondition
	least      int64 // bytes of the file
	most       int64
}

// A postCondition is a condition on one field.
type postCondition struct {
	operator string // "eq", "starts-with", "in" or "not-in"
	field    string // lower case, without '$'
	values   []string
	text     string // as it was written, for the reply
}

// maxPostPolicy is the size of the largest policy document, in bytes of base64, and
// maxPostConditions how many conditions it has at most. Both are ours.
const (
	maxPostPolicy     = 64 << 10
	maxPostConditions = 100
)

// parsePostPolicy reads a policy in base64. Its error is an errPostPolicy.
func parsePostPolicy(text string) (*postPolicy, error) {
	data, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, badPostPolicy("it is not base64")
	}
	var doc struct {
		Expiration string            `json:"expiration"`
		Conditions []json.RawMessage `json:"conditions"`
	}
	if err := json.Unmarshal(data, &doc); err != nil {
		return nil, badPostPolicy("it is not a JSON object of expiration and conditions")
	}
	p := &postPolicy{most: math.MaxInt64}
	if p.expires, err = time.Parse(time.RFC3339, doc.Expiration); err != nil {
		return nil, badPostPolicy("expiration must be a time such as 2026-01-05T16:00:00.000Z")
	}
	if doc.Conditions == nil || len(doc.Conditions) > maxPostConditions {
		return nil, badPostPolicy(fmt.Sprintf("conditions must be a list of at most %d", maxPostConditions))
	}
	for _, raw := range doc.Conditions {
		if err := p.add(raw); err != nil {
			return nil, err
		}
	}
	return p, nil
}

func badPostPolicy(reason string) error {
	return &detailError{err: errPostPolicy, text: "Invalid Policy: " + reason + "."}
}

// add reads one condition: {"field": "value"} or [operator, field, value...].
func (p *postPolicy) add(raw json.RawMessage) error {
	text := request.Bounded(string(raw))
	var equal map[string]string
	if json.Unmarshal(raw, &equal) == nil {
		for field, value := range equal {
			p.conditions = append(p.conditions, postCondition{"eq", strings.ToLower(field), []string{value}, text})
		}
		return nil
	}
	var list []json.RawMessage
	var operator, field string
	if json.Unmarshal(raw, &list) != nil || len(list) != 3 || json.Unmarshal(list[0], &operator) != nil {
		return badPostPolicy("a condition is an object or a list of three: " + text)
	}
	operator = strings.ToLower(operator)
	if operator == "content-length-range" {
		if json.Unmarshal(list[1], &p.least) != nil || json.Unmarshal(list[2], &p.most) != nil || p.least < 0 || p.most < p.least {
			return badPostPolicy("content-length-range takes two numbers in ascending order: " + text)
		}
		return nil
	}
	if json.Unmarshal(list[1], &field) != nil || !strings.HasPrefix(field, "$") {
		return badPostPolicy("the name of a field starts with $: " + text)
	}
	c := postCondition{operator: operator, field: strings.ToLower(field[1:]), text: text}
	var err error
	switch operator {
	case "eq", "starts-with":
		c.values = make([]string, 1)
		err = json.Unmarshal(list[2], &c.values[0])
	case "in", "not-in":
		err = json.Unmarshal(list[2], &c.values)
	default:
		return badPostPolicy("eq, starts-with, in, not-in and content-length-range are known: " + text)
	}
	if err != nil {
		return badPostPolicy("the value has the wrong type: " + text)
	}
	p.conditions = append(p.conditions, c)
	return nil
}

// check returns an error that is errPostDenied if the policy has expired or a
// field does not meet a condition.
func (p *postPolicy) check(now time.Time, field func(name string) string) error {
	if !now.Before(p.expires) {
		return &detailError{err: errPostDenied, text: "Invalid according to Policy: Policy expired."}
	}
	for i := range p.conditions {
		c := &p.conditions[i]
		if !c.holds(field(c.field)) {
			return &detailError{err: errPostDenied, text: "Invalid according to Policy: Policy Condition failed: " + c.text}
		}
	}
	return nil
}

func (c *postCondition) holds(value string) bool {
	switch c.operator {
	case "eq":
		return value == c.values[0]
	case "starts-with":
		return strings.HasPrefix(value, c.values[0])
	case "in":
		return slices.Contains(c.values, value)
	}
	return !slices.Contains(c.values, value)
}
