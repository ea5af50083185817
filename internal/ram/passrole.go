package ram

import (
	"fmt"

	"github.com/stocktake/stocktake"
)

// PassRole decides whether who may pass the role arn to the service: a policy of
// the caller must allow ram:PassRole on it. q has the address, TLS and conditions
// of the request; PassRole adds acs:Service to them. It returns nil, a
// *DeniedError, or ErrInvalidName. An account, or a caller with its rights, may
// pass the roles of the account.
//
// Source: RAM user guide, "Pass a RAM role to an Alibaba Cloud service".
func (d *Directory) PassRole(who Identity, arn string, q Request) error {
	account, role, ok := stocktake.ParseRoleARN(arn)
	if !ok {
		return fmt.Errorf("role %q: %w", bounded(arn), ErrInvalidName)
	}
	conditions := map[string]string{"acs:Service": InventoryService}
	for key, value := range q.Conditions {
		conditions[key] = value
	}
	s := d.current()
	ev := &evaluation{
		Request: Request{Action: "ram:PassRole", SourceIP: q.SourceIP, Secure: q.Secure, Time: q.Time, Conditions: conditions},
		who:     &who, service: "ram", account: account, name: "role/" + role,
		action: "ram:passrole", budget: budget{maxWork},
	}
	if ev.Time.IsZero() {
		ev.Time = d.opts.Now()
	}
	if who.Anonymous() {
		return denied(ev, Unsigned, "")
	}
	if who.policy != nil {
		if e := who.policy.evaluate(ev); e != allow {
			return denied(ev, reasonOf(e), "session policy")
		}
	}
	switch e := s.identityEffect(ev); {
	case e == deny:
		return denied(ev, Explicit, "RAM policy")
	case e == allow, s.ownsAsAccount(&who, d.opts.Production) && who.Account == account:
		return nil
	}
	return denied(ev, Implicit, "RAM policy")
}
