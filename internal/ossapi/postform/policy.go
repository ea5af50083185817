package postform

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

// A Policy restricts what a signed form may upload, and until when.
//
// Source: OSS API reference, PostObject, policy.
type Policy struct {
	expires    time.Time
	conditions []condition

	// Least and Most bound the file, in bytes, both ends included. Without a
	// condition they are 0 and the largest int64.
	Least, Most int64
}

// A condition is a condition on one field.
type condition struct {
	operator string // "eq", "starts-with", "in" or "not-in"
	field    string // lower case, without '$'
	values   []string
	text     string // as it was written, for the reply
}

// maxPolicy bounds a policy document, in bytes of base64, and maxConditions the
// number of its conditions. Both bounds are ours.
const (
	maxPolicy     = 64 << 10
	maxConditions = 100
)

// ParsePolicy reads a policy in base64. Its error is ErrPolicy.
func ParsePolicy(text string) (*Policy, error) {
	data, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, badPolicy("it is not base64")
	}
	var doc struct {
		Expiration string            `json:"expiration"`
		Conditions []json.RawMessage `json:"conditions"`
	}
	if err := json.Unmarshal(data, &doc); err != nil {
		return nil, badPolicy("it is not a JSON object of expiration and conditions")
	}
	p := &Policy{Most: math.MaxInt64}
	if p.expires, err = time.Parse(time.RFC3339, doc.Expiration); err != nil {
		return nil, badPolicy("expiration must be a time such as 2026-01-05T16:00:00.000Z")
	}
	if doc.Conditions == nil || len(doc.Conditions) > maxConditions {
		return nil, badPolicy(fmt.Sprintf("conditions must be a list of at most %d", maxConditions))
	}
	for _, raw := range doc.Conditions {
		if err := p.add(raw); err != nil {
			return nil, err
		}
	}
	return p, nil
}

func badPolicy(reason string) error {
	return &request.DetailError{Err: ErrPolicy, Text: "Invalid Policy: " + reason + "."}
}

// add reads one condition: {"field": "value"} or [operator, field, value...].
func (p *Policy) add(raw json.RawMessage) error {
	text := request.Bounded(string(raw))
	var equal map[string]string
	if json.Unmarshal(raw, &equal) == nil {
		for field, value := range equal {
			p.conditions = append(p.conditions, condition{"eq", strings.ToLower(field), []string{value}, text})
		}
		return nil
	}
	var list []json.RawMessage
	var operator, field string
	if json.Unmarshal(raw, &list) != nil || len(list) != 3 || json.Unmarshal(list[0], &operator) != nil {
		return badPolicy("a condition is an object or a list of three: " + text)
	}
	operator = strings.ToLower(operator)
	if operator == "content-length-range" {
		if json.Unmarshal(list[1], &p.Least) != nil || json.Unmarshal(list[2], &p.Most) != nil || p.Least < 0 || p.Most < p.Least {
			return badPolicy("content-length-range takes two numbers in ascending order: " + text)
		}
		return nil
	}
	if json.Unmarshal(list[1], &field) != nil || !strings.HasPrefix(field, "$") {
		return badPolicy("the name of a field starts with $: " + text)
	}
	c := condition{operator: operator, field: strings.ToLower(field[1:]), text: text}
	var err error
	switch operator {
	case "eq", "starts-with":
		c.values = make([]string, 1)
		err = json.Unmarshal(list[2], &c.values[0])
	case "in", "not-in":
		err = json.Unmarshal(list[2], &c.values)
	default:
		return badPolicy("eq, starts-with, in, not-in and content-length-range are known: " + text)
	}
	if err != nil {
		return badPolicy("the value has the wrong type: " + text)
	}
	p.conditions = append(p.conditions, c)
	return nil
}

// Check returns an error that is ErrDenied if the policy has expired or a
// field does not meet a condition. field returns the value of a field by its
// lower-case name.
func (p *Policy) Check(now time.Time, field func(name string) string) error {
	if !now.Before(p.expires) {
		return &request.DetailError{Err: ErrDenied, Text: "Invalid according to Policy: Policy expired."}
	}
	for i := range p.conditions {
		c := &p.conditions[i]
		if !c.holds(field(c.field)) {
			return &request.DetailError{Err: ErrDenied, Text: "Invalid according to Policy: Policy Condition failed: " + c.text}
		}
	}
	return nil
}

func (c *condition) holds(value string) bool {
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
