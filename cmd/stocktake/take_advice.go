package main

import (
	"crypto/x509"
	"errors"
	"net"
	"strings"
	"syscall"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/foreign"
	bucketclient "github.com/stocktake/stocktake/internal/remote"
	"github.com/stocktake/stocktake/internal/take/places"
)

// takeAdvice returns advice to add to the error of a failed take; empty if the error needs none.
// dst may be nil.
func takeAdvice(err error, src, dst *places.Place) string {
	urls, flag := src.Store.URL(), "--endpoint"
	if dst != nil && dst.Store != nil && dst.Store.URL() != urls {
		urls += " and " + dst.Store.URL()
		flag += ", --to-endpoint"
	}
	_, dial := errors.AsType[*net.OpError](err)
	_, lookup := errors.AsType[*net.DNSError](err)
	answer, answered := errors.AsType[*bucketclient.Error](err)
	_, untrusted := errors.AsType[x509.UnknownAuthorityError](err)
	_, noKey := errors.AsType[*bucketclient.CredentialsError](err)
	switch {
	case noKey: // the error does not say which of the two has none
		advice := ": set " + keySettings(src) + " (--profile)"
		if dst != nil && dst.Store != nil && dst.Store != src.Store {
			advice += "; for the destination, " + keySettings(dst) + " (--to-profile)"
		}
		return advice
	case answered && answer.OtherRegion():
		return ": is the bucket in another region? Name its region with --region (--to-region), or its endpoint with --endpoint (--to-endpoint)"
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return ": free space in the destination"
	case untrusted:
		return ": is the certificate signed by an authority of your own? Name its certificate with --ca-file"
	case dial, lookup:
		return ": can " + urls + " be reached, and is it the right endpoint (" + flag + ")?"
	case errors.Is(err, stocktake.ErrNoSuchBucket):
		return ": is the name right, and is the bucket at " + urls + " (" + flag + ")?"
	case answered && answer.Right == "" && errors.Is(err, stocktake.ErrAccessDenied):
		advice := ": do the keys belong to a user there? They are those " + keysOf(src) + ", for " + src.Store.URL()
		if dst != nil && dst.Store != nil && dst.Store != src.Store {
			advice += ", and those " + keysOf(dst) + ", for " + dst.Store.URL()
		}
		return advice
	}
	return ""
}

// keySettings says how to give the keys of a place.
func keySettings(p *places.Place) string {
	if p.Store.Settings().Kind == foreign.OSS {
		return "OSS_ACCESS_KEY_ID and OSS_ACCESS_KEY_SECRET, or name a profile of ~/.ossutilconfig"
	}
	return "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a profile of ~/.aws"
}

// keysOf says where the keys of a place come from.
func keysOf(p *places.Place) string {
	s := p.Store.Settings()
	switch {
	case s.Credentials != foreign.Chain():
		return "of " + strings.Trim(s.Credentials.String(), "{}")
	case s.Kind == foreign.OSS:
		return "of OSS_ACCESS_KEY_ID, else of ~/.ossutilconfig (--profile), else of the machine"
	}
	return "of AWS_ACCESS_KEY_ID, else of ~/.aws (--profile), else of the machine"
}
