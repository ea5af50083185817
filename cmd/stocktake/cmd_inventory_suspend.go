package main

import (
	"context"
)

type inventorySuspend struct {
	remote
	idFlag
	jsonFlag
}

// Run suspends scheduled runs until resume.
func (c *inventorySuspend) Run(ctx context.Context, con console) error {
	cl, err := c.client()
	if err != nil {
		return err
	}
	s, err := cl.Suspend(ctx, c.Bucket, c.ID)
	if err != nil {
		return explain(err, "suspend "+c.ID+" of bucket "+c.Bucket)
	}
	return c.say(con, s, "suspended %s of bucket %s: it runs only on request", s.Configuration, s.Bucket)
}

type inventoryResume struct {
	remote
	idFlag
	jsonFlag
}

// Run takes back suspend.
func (c *inventoryResume) Run(ctx context.Context, con console) error {
	cl, err := c.client()
	if err != nil {
		return err
	}
	s, err := cl.Resume(ctx, c.Bucket, c.ID)
	if err != nil {
		return explain(err, "resume "+c.ID+" of bucket "+c.Bucket)
	}
	return c.say(con, s, "resumed %s of bucket %s: next run %s", s.Configuration, s.Bucket, when(s.Next))
}
