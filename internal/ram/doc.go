// Package ram decides who may do what, from accounts, users and roles, access keys, RAM policies,
// bucket policies, ACLs and temporary credentials.
//
// A [Directory] knows the accounts. [Directory.Key] returns the [Identity] of the
// owner of an access key, and the secret with which package signature proves who
// sent a request. [Directory.Allowed] decides one request. The decision is
// deterministic and depends only on the arguments and the directory.
//
// The order of evaluation is that of OSS:
//
//  1. the policy of the session, if AssumeRole was given one, must allow;
//  2. a Deny in a RAM policy or in the bucket policy denies;
//  3. an Allow in either allows; the account that owns the bucket needs none;
//  4. the ACL of the object, else that of the bucket, may allow reading and
//     writing of objects;
//  5. all else is denied.
//
// Source: OSS user guide, "Authorization process", "Bucket policy", "Policy
// syntax and elements"; RAM user guide, "Policy structure and syntax".
package ram
