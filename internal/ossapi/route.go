package ossapi

import (
	"net/http"
	"strings"
)

// A level is what the URL of a request names.
type level uint8

const (
	serviceLevel level = iota
	bucketLevel
	objectLevel
)

// An operation is one line of the routing table.
type operation struct {
	Name   string
	Method string
	level  level
	Sub    string // sub-resource: the parameter that selects the operation; empty: none does

	// With is a further condition: "name" or "name=value" of a parameter, "name:"
	// of a header. Of the operations that fit, one with a condition goes first.
	With string

	Action        string // what RAM must allow
	VersionAction string // the same where versionId is given; empty: Action
	makesBucket   bool   // the bucket need not exist
	handle        func(*call) error
}

// fits reports whether the condition holds.
func (o *operation) fits(r *http.Request, q params) bool {
	if name, ok := strings.CutSuffix(o.With, ":"); ok {
		return r.Header.Get(name) != ""
	}
	name, want, valued := strings.Cut(o.With, "=")
	value, ok := q.lookup(name)
	return o.With == "" || ok && (!valued || value == want)
}

// extension is the parameter of all that OSS does not have. It is x-oss- for
// the sake of signature V1, which signs no other unknown parameter.
const extension = "x-oss-stocktake"

// operations is all that is offered.
//
// Source: OSS API reference, list of operations by function; RAM policy
// actions of OSS.
var operations = []operation{
	{"ListBuckets", "GET", serviceLevel, "", "", "oss:ListBuckets", "", false, (*call).listBuckets},
	{"DescribeRegions", "GET", serviceLevel, "regions", "", "oss:DescribeRegions", "", false, (*call).describeRegions},

	{"PutBucket", "PUT", bucketLevel, "", "", "oss:PutBucket", "", true, (*call).putBucket},
	{"DeleteBucket", "DELETE", bucketLevel, "", "", "oss:DeleteBucket", "", false, (*call).deleteBucket},
	{"GetBucketInfo", "GET", bucketLevel, "bucketInfo", "", "oss:GetBucketInfo", "", false, (*call).getBucketInfo},
	{"GetBucketLocation", "GET", bucketLevel, "location", "", "oss:GetBucketLocation", "", false, (*call).getBucketLocation},
	{"GetBucketStat", "GET", bucketLevel, "stat", "", "oss:GetBucketStat", "", false, (*call).getBucketStat},
	{"ListObjects", "GET", bucketLevel, "", "", "oss:ListObjects", "", false, (*call).listObjects},
	{"ListObjectsV2", "GET", bucketLevel, "", "list-type=2", "oss:ListObjects", "", false, (*call).listObjectsV2},
	{"ListObjectVersions", "GET", bucketLevel, "versions", "", "oss:ListObjectVersions", "", false, (*call).listObjectVersions},
	{"ListMultipartUploads", "GET", bucketLevel, "uploads", "", "oss:ListMultipartUploads", "", false, (*call).listMultipartUploads},
	{"DeleteMultipleObjects", "POST", bucketLevel, "delete", "", "", "", false, (*call).deleteMultipleObjects}, // asks for each object
	{"PutBucketVersioning", "PUT", bucketLevel, "versioning", "", "oss:PutBucketVersioning", "", false, (*call).putBucketVersioning},
	{"GetBucketVersioning", "GET", bucketLevel, "versioning", "", "oss:GetBucketVersioning", "", false, (*call).getBucketVersioning},
	{"PutBucketAcl", "PUT", bucketLevel, "acl", "", "oss:PutBucketAcl", "", false, (*call).putBucketACL},
	{"GetBucketAcl", "GET", bucketLevel, "acl", "", "oss:GetBucketAcl", "", false, (*call).getBucketACL},
	{"PutBucketEncryption", "PUT", bucketLevel, "encryption", "", "oss:PutBucketEncryption", "", false, (*call).putBucketEncryption},
	{"GetBucketEncryption", "GET", bucketLevel, "encryption", "", "oss:GetBucketEncryption", "", false, (*call).getBucketEncryption},
	{"DeleteBucketEncryption", "DELETE", bucketLevel, "encryption", "", "oss:DeleteBucketEncryption", "", false, (*call).deleteBucketEncryption},
	{"PutBucketTags", "PUT", bucketLevel, "tagging", "", "oss:PutBucketTagging", "", false, (*call).putBucketTags},
	{"GetBucketTags", "GET", bucketLevel, "tagging", "", "oss:GetBucketTagging", "", false, (*call).getBucketTags},
	{"DeleteBucketTags", "DELETE", bucketLevel, "tagging", "", "oss:DeleteBucketTagging", "", false, (*call).deleteBucketTags},
	{"PutBucketPolicy", "PUT", bucketLevel, "policy", "", "oss:PutBucketPolicy", "", false, (*call).putBucketPolicy},
	{"GetBucketPolicy", "GET", bucketLevel, "policy", "", "oss:GetBucketPolicy", "", false, (*call).getBucketPolicy},
	{"DeleteBucketPolicy", "DELETE", bucketLevel, "policy", "", "oss:DeleteBucketPolicy", "", false, (*call).deleteBucketPolicy},
	{"GetBucketPolicyStatus", "GET", bucketLevel, "policyStatus", "", "oss:GetBucketPolicyStatus", "", false, (*call).getBucketPolicyStatus},
	{"PutBucketLifecycle", "PUT", bucketLevel, "lifecycle", "", "oss:PutBucketLifecycle", "", false, (*call).putBucketLifecycle},
	{"GetBucketLifecycle", "GET", bucketLevel, "lifecycle", "", "oss:GetBucketLifecycle", "", false, (*call).getBucketLifecycle},
	{"DeleteBucketLifecycle", "DELETE", bucketLevel, "lifecycle", "", "oss:DeleteBucketLifecycle", "", false, (*call).deleteBucketLifecycle},
	{"PutBucketPublicAccessBlock", "PUT", bucketLevel, "publicAccessBlock", "", "oss:PutBucketPublicAccessBlock", "", false, (*call).putPublicAccessBlock},
	{"GetBucketPublicAccessBlock", "GET", bucketLevel, "publicAccessBlock", "", "oss:GetBucketPublicAccessBlock", "", false, (*call).getPublicAccessBlock},
	{"DeleteBucketPublicAccessBlock", "DELETE", bucketLevel, "publicAccessBlock", "", "oss:DeleteBucketPublicAccessBlock", "", false, (*call).deletePublicAccessBlock},
	{"PutBucketRequestPayment", "PUT", bucketLevel, "requestPayment", "", "oss:PutBucketRequestPayment", "", false, (*call).putRequestPayment},
	{"GetBucketRequestPayment", "GET", bucketLevel, "requestPayment", "", "oss:GetBucketRequestPayment", "", false, (*call).getRequestPayment},
	{"PutBucketResourceGroup", "PUT", bucketLevel, "resourceGroup", "", "oss:PutBucketResourceGroup", "", false, (*call).putResourceGroup},
	{"GetBucketResourceGroup", "GET", bucketLevel, "resourceGroup", "", "oss:GetBucketResourceGroup", "", false, (*call).getResourceGroup},

	{"PutBucketInventory", "PUT", bucketLevel, "inventory", "", "oss:PutBucketInventory", "", false, (*call).putInventory},
	{"GetBucketInventory", "GET", bucketLevel, "inventory", "inventoryId", "oss:GetBucketInventory", "", false, (*call).getInventory},
	{"ListBucketInventory", "GET", bucketLevel, "inventory", "", "oss:GetBucketInventory", "", false, (*call).listInventories},
	{"DeleteBucketInventory", "DELETE", bucketLevel, "inventory", "", "oss:DeleteBucketInventory", "", false, (*call).deleteInventory},
	{"RunInventory", "POST", bucketLevel, "inventory", extension + "=run", "oss:PutBucketInventory", "", false, (*call).runInventory},
	{"CancelInventoryRun", "POST", bucketLevel, "inventory", extension + "=cancel", "oss:PutBucketInventory", "", false, (*call).cancelRun},
	{"RetainInventoryReports", "POST", bucketLevel, "inventory", extension + "=retain", "oss:PutBucketInventory", "", false, (*call).retainReports},
	{"SuspendInventory", "POST", bucketLevel, "inventory", extension + "=suspend", "oss:PutBucketInventory", "", false, (*call).suspendInventory},
	{"ResumeInventory", "POST", bucketLevel, "inventory", extension + "=resume", "oss:PutBucketInventory", "", false, (*call).resumeInventory},
	{"CheckInventory", "POST", bucketLevel, "inventory", extension + "=check", "oss:PutBucketInventory", "", false, (*call).checkInventory},
	{"ListInventoryRuns", "GET", bucketLevel, "inventory", extension + "=runs", "oss:GetBucketInventory", "", false, (*call).listRuns},
	{"GetInventoryStatus", "GET", bucketLevel, "inventory", extension + "=status", "oss:GetBucketInventory", "", false, (*call).inventoryStatus},

	{"PutObject", "PUT", objectLevel, "", "", "oss:PutObject", "", false, (*call).putObject},
	{"CopyObject", "PUT", objectLevel, "", "X-Oss-Copy-Source:", "oss:PutObject", "", false, (*call).copyObject},
	{"GetObject", "GET", objectLevel, "", "", "oss:GetObject", "oss:GetObjectVersion", false, (*call).getObject},
	{"HeadObject", "HEAD", objectLevel, "", "", "oss:GetObject", "oss:GetObjectVersion", false, (*call).headObject},
	{"GetObjectMeta", "HEAD", objectLevel, "objectMeta", "", "oss:GetObject", "oss:GetObjectVersion", false, (*call).getObjectMeta},
	{"DeleteObject", "DELETE", objectLevel, "", "", "oss:DeleteObject", "oss:DeleteObjectVersion", false, (*call).deleteObject},
	{"AppendObject", "POST", objectLevel, "append", "", "oss:PutObject", "", false, (*call).appendObject},
	{"SealAppendObject", "POST", objectLevel, "seal", "", "oss:PutObject", "", false, (*call).sealAppendObject},
	{"PutSymlink", "PUT", objectLevel, "symlink", "", "oss:PutObject", "", false, (*call).putSymlink},
	{"GetSymlink", "GET", objectLevel, "symlink", "", "oss:GetObject", "oss:GetObjectVersion", false, (*call).getSymlink},
	{"PutObjectAcl", "PUT", objectLevel, "acl", "", "oss:PutObjectAcl", "oss:PutObjectVersionAcl", false, (*call).putObjectACL},
	{"GetObjectAcl", "GET", objectLevel, "acl", "", "oss:GetObjectAcl", "oss:GetObjectVersionAcl", false, (*call).getObjectACL},
	{"PutObjectTagging", "PUT", objectLevel, "tagging", "", "oss:PutObjectTagging", "oss:PutObjectVersionTagging", false, (*call).putObjectTagging},
	{"GetObjectTagging", "GET", objectLevel, "tagging", "", "oss:GetObjectTagging", "oss:GetObjectVersionTagging", false, (*call).getObjectTagging},
	{"DeleteObjectTagging", "DELETE", objectLevel, "tagging", "", "oss:DeleteObjectTagging", "oss:DeleteObjectVersionTagging", false, (*call).deleteObjectTagging},
	{"RestoreObject", "POST", objectLevel, "restore", "", "oss:RestoreObject", "oss:RestoreObjectVersion", false, (*call).restoreObject},
	{"CleanRestoredObject", "POST", objectLevel, "cleanRestoredObject", "", "oss:CleanRestoredObject", "", false, (*call).cleanRestoredObject},

	{"InitiateMultipartUpload", "POST", objectLevel, "uploads", "", "oss:PutObject", "", false, (*call).initiateUpload},
	{"UploadPart", "PUT", objectLevel, "uploadId", "", "oss:PutObject", "", false, (*call).uploadPart},
	{"UploadPartCopy", "PUT", objectLevel, "uploadId", "X-Oss-Copy-Source:", "oss:PutObject", "", false, (*call).uploadPartCopy},
	{"CompleteMultipartUpload", "POST", objectLevel, "uploadId", "", "oss:PutObject", "", false, (*call).completeUpload},
	{"AbortMultipartUpload", "DELETE", objectLevel, "uploadId", "", "oss:AbortMultipartUpload", "", false, (*call).abortUpload},
	{"ListParts", "GET", objectLevel, "uploadId", "", "oss:ListParts", "", false, (*call).listParts},
}

// A place is where operations are looked up.
type place struct {
	method string
	level  level
	sub    string
}

// routes are the operations by place, those with a condition first.
// selectors are the sub-resources of each level.
var (
	routes    = make(map[place][]*operation)
	selectors [3]map[string]bool
)

func init() {
	for l := range selectors {
		selectors[l] = make(map[string]bool)
	}
	for i := range operations {
		o := &operations[i]
		at := place{o.Method, o.level, o.Sub}
		if o.With != "" {
			routes[at] = append([]*operation{o}, routes[at]...)
		} else {
			routes[at] = append(routes[at], o)
		}
		if o.Sub != "" {
			selectors[o.level][o.Sub] = true
		}
	}
}

// route finds the operation of a request.
//
// A sub-resource that is not offered is not implemented, whatever the method:
// it never falls through to the operation on the bucket or object itself. A
// parameter nobody knows counts as a sub-resource if it is bare, and wherever
// the request would change something.
func route(r *http.Request, l level, q params) (*operation, error) {
	sub, unknown := "", false
	for _, p := range q {
		switch {
		case selectors[l][p.name]:
			if sub != "" {
				return nil, invalidArgument(p.name, p.value, "it does not go together with "+sub)
			}
			sub = p.name
		case notOffered[p.name] != "":
			return nil, errNotImplemented
		case !isModifier(p.name):
			safe := r.Method == http.MethodGet || r.Method == http.MethodHead
			unknown = unknown || !safe || p.value == ""
		}
	}
	if unknown && sub == "" {
		return nil, errNotImplemented
	}
	for _, o := range routes[place{r.Method, l, sub}] {
		if o.fits(r, q) && (!q.has(extension) || strings.HasPrefix(o.With, extension)) {
			return o, nil
		}
	}
	switch {
	case q.has(extension), r.Method == http.MethodOptions, sub == "" && r.Method == http.MethodPost && l == bucketLevel:
		return nil, errNotImplemented // an extension we lack, CORS, PostObject
	}
	return nil, errMethod
}
