package request

import "strings"

// NotOffered maps the sub-resources of OSS that are not supported to what they
// stand for.
//
// Source: OSS API reference, list of operations by function; the parameters
// that signature V1 signs; the official SDKs.
var NotOffered = func() map[string]string {
	m := make(map[string]string)
	for _, line := range []struct{ what, names string }{
		{"access points", "accessPoint accessPointPolicy"},
		{"object FC access points", "accessPointConfigForObjectProcess accessPointForObjectProcess accessPointPolicyForObjectProcess x-oss-write-get-object-response"},
		{"access tracking", "accessmonitor"},
		{"asynchronous fetching", "asyncFetch"},
		{"real-time access of Archive objects", "bucketArchiveDirectRead"},
		{"cloud boxes", "cloudboxes"},
		{"CNAMEs (the server's settings bind them)", "cname comp"},
		{"data pipelines and processing", "dataPipeline dataPipelineName datasetName dataProcess"},
		{"live channels (the list of them is always empty)", "endTime startTime status vod"},
		{"bucket groups", "group"},
		{"TLS versions of a bucket", "httpsConfig"},
		{"image and media processing, SelectObject", "img link style styleName x-oss-async-process x-oss-process"},
		{"legal holds, retention", "legalHold objectWorm retention worm wormExtend wormId"},
		{"access logs", "logging userDefinedLogFieldsConfig"},
		{"meta queries, metadata tables", "metaQuery metadataConfiguration metadataInventoryTable metadataJournalTable"},
		{"object descriptions", "objectInfo"},
		{"overwrite protection", "overwriteConfig"},
		{"the public access block of an account", "publicAccessBlock"},
		{"bandwidth limits, resource pools", "qos qosInfo qosRequester requesterQosInfo resourcePool resourcePoolBuckets resourcePoolInfo"},
		{"redundancy changes", "redundancyTransition x-oss-redundancy-transition-taskid x-oss-target-redundancy-type"},
		{"hotlink protection", "referer"},
		{"replication", "replication replicationLocation replicationProgress rtc"},
		{"response headers of a bucket", "responseHeader"},
		{"transfer acceleration", "transferAcceleration"},
		{"user-defined functions", "udf udfApplication udfApplicationLog udfId udfImage udfImageDesc udfName"},
		{"static websites", "website"},
		{"hash contexts of uploads", "withHashContext"},
	} {
		for name := range strings.FieldsSeq(line.names) {
			m[name] = line.what
		}
	}
	return m
}()
