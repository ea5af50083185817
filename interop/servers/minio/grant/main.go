// Grant makes a user of a MinIO server, or sets its secret, and makes a policy its
// only one, as an administrator does by `mc admin`. The keys of the administrator are
// in MINIO_ROOT_USER and MINIO_ROOT_PASSWORD.
//
//	grant HOST:PORT USER SECRET POLICY-FILE
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/minio/madmin-go/v3"
)

func main() {
	if len(os.Args) != 5 {
		fmt.Fprintln(os.Stderr, "usage: grant HOST:PORT USER SECRET POLICY-FILE")
		os.Exit(2)
	}
	if err := grant(context.Background(), os.Args[1], os.Args[2], os.Args[3], os.Args[4]); err != nil {
		fmt.Fprintln(os.Stderr, "grant:", err)
		os.Exit(1)
	}
}

func grant(ctx context.Context, server, user, secret, file string) error {
	policy, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	admin, err := madmin.New(server, os.Getenv("MINIO_ROOT_USER"), os.Getenv("MINIO_ROOT_PASSWORD"), false)
	if err != nil {
		return err
	}
	if err := admin.AddUser(ctx, user, secret); err != nil {
		return err
	}
	if err := admin.AddCannedPolicy(ctx, user, policy); err != nil {
		return err
	}
	_, err = admin.AttachPolicy(ctx, madmin.PolicyAssociationReq{Policies: []string{user}, User: user})
	if madmin.ToErrorResponse(err).Code == "XMinioAdminPolicyChangeAlreadyApplied" {
		return nil
	}
	return err
}
