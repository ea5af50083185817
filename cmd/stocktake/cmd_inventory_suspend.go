package main

import (
	"context"
	"fmt"
)

type inventorySuspend struct {
	remote
	idFlag
}

// Run leaves out scheduled runs until resume.
func (c *inventorySuspend) Run(ctx context.Context, con console) error {
	cl, err := c.client()
	if err != nil {
		return err
	}
	s, err := cl.Suspend(ctx, c.Bucket, c.ID)
	if err != nil {
		return explain(err, "suspend "+c.ID+" of bucket "+c.Bucket)
	}
	_, err = fmt.Fprintf(con.out, "suspended %s of bucket %s: it runs only when asked to\n", s.Configuration, s.Bucket)
	return err
}

type inventoryResume struct {
	remote
	idFlag
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
	_, err = fmt.Fprintf(con.out, "resumed %s of bucket %s: next run %s\n", s.Configuration, s.Bucket, when(s.Next))
	return err
}
