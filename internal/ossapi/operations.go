package ossapi

import "github.com/stocktake/stocktake/internal/ossapi/request"

// An operation is one row of the routing table with its handler.
type operation = request.Operation[func(*call) error]

// operations lists all supported operations. To add an operation, add a row here
// and a handler. The tests then report what is missing: an action, a line in
// docs/compatibility.md, a request that tries it.
//
// Source: OSS API reference, list of operations by function; RAM policy actions
// of OSS.
var operations = []operation{
	{Name: "ListBuckets", Method: "GET", Level: request.ServiceLevel, Action: "oss:ListBuckets", Handle: (*call).listBuckets},
	{Name: "ListBucketsInRegion", Method: "GET", Level: request.ServiceLevel, Sub: "regionList", Action: "oss:ListBuckets", Handle: (*call).listBuckets},
	{Name: "DescribeRegions", Method: "GET", Level: request.ServiceLevel, Sub: "regions", Action: "oss:DescribeRegions", Handle: (*call).describeRegions},

	{Name: "PutBucket", Method: "PUT", Level: request.BucketLevel, Action: "oss:PutBucket", CreatesBucket: true, Handle: (*call).putBucket},
	{Name: "DeleteBucket", Method: "DELETE", Level: request.BucketLevel, Action: "oss:DeleteBucket", Handle: (*call).deleteBucket},
	{Name: "HeadBucket", Method: "HEAD", Level: request.BucketLevel, Action: "oss:ListObjects", AnyStore: true, Handle: (*call).headBucket},
	{Name: "GetBucketInfo", Method: "GET", Level: request.BucketLevel, Sub: "bucketInfo", Action: "oss:GetBucketInfo", AnyStore: true, Handle: (*call).getBucketInfo},
	{Name: "GetBucketLocation", Method: "GET", Level: request.BucketLevel, Sub: "location", Action: "oss:GetBucketLocation", AnyStore: true, Handle: (*call).getBucketLocation},
	{Name: "GetBucketStat", Method: "GET", Level: request.BucketLevel, Sub: "stat", Action: "oss:GetBucketStat", Handle: (*call).getBucketStat},
	{Name: "ListObjects", Method: "GET", Level: request.BucketLevel, Action: "oss:ListObjects", Conditions: request.Listing, Handle: (*call).listObjects},
	{Name: "ListObjectsV2", Method: "GET", Level: request.BucketLevel, With: "list-type=2", Action: "oss:ListObjects", Conditions: request.Listing, Handle: (*call).listObjectsV2},
	{Name: "ListObjectVersions", Method: "GET", Level: request.BucketLevel, Sub: "versions", Action: "oss:ListObjectVersions", Conditions: request.Listing, Handle: (*call).listObjectVersions},
	{Name: "ListMultipartUploads", Method: "GET", Level: request.BucketLevel, Sub: "uploads", Action: "oss:ListMultipartUploads", Conditions: request.Listing, Handle: (*call).listMultipartUploads},
	{Name: "DeleteMultipleObjects", Method: "POST", Level: request.BucketLevel, Sub: "delete", Handle: (*call).deleteMultipleObjects}, // checks the right on each object
	{Name: "PostObject", Method: "POST", Level: request.BucketLevel, Handle: (*call).postObject},                                      // checks the right when it has read the form
	{Name: "PutBucketVersioning", Method: "PUT", Level: request.BucketLevel, Sub: "versioning", Action: "oss:PutBucketVersioning", Handle: (*call).putBucketVersioning},
	{Name: "GetBucketVersioning", Method: "GET", Level: request.BucketLevel, Sub: "versioning", Action: "oss:GetBucketVersioning", Handle: (*call).getBucketVersioning},
	{Name: "PutBucketAcl", Method: "PUT", Level: request.BucketLevel, Sub: "acl", Action: "oss:PutBucketAcl", Handle: (*call).putBucketACL},
	{Name: "GetBucketAcl", Method: "GET", Level: request.BucketLevel, Sub: "acl", Action: "oss:GetBucketAcl", Handle: (*call).getBucketACL},
	{Name: "PutBucketEncryption", Method: "PUT", Level: request.BucketLevel, Sub: "encryption", Action: "oss:PutBucketEncryption", Handle: (*call).putBucketEncryption},
	{Name: "GetBucketEncryption", Method: "GET", Level: request.BucketLevel, Sub: "encryption", Action: "oss:GetBucketEncryption", Handle: (*call).getBucketEncryption},
	{Name: "DeleteBucketEncryption", Method: "DELETE", Level: request.BucketLevel, Sub: "encryption", Action: "oss:DeleteBucketEncryption", Handle: (*call).deleteBucketEncryption},
	{Name: "PutBucketTags", Method: "PUT", Level: request.BucketLevel, Sub: "tagging", Action: "oss:PutBucketTagging", Handle: (*call).putBucketTags},
	{Name: "GetBucketTags", Method: "GET", Level: request.BucketLevel, Sub: "tagging", Action: "oss:GetBucketTagging", Handle: (*call).getBucketTags},
	{Name: "DeleteBucketTags", Method: "DELETE", Level: request.BucketLevel, Sub: "tagging", Action: "oss:DeleteBucketTagging", Handle: (*call).deleteBucketTags},
	{Name: "PutBucketPolicy", Method: "PUT", Level: request.BucketLevel, Sub: "policy", Action: "oss:PutBucketPolicy", Handle: (*call).putBucketPolicy},
	{Name: "GetBucketPolicy", Method: "GET", Level: request.BucketLevel, Sub: "policy", Action: "oss:GetBucketPolicy", Handle: (*call).getBucketPolicy},
	{Name: "DeleteBucketPolicy", Method: "DELETE", Level: request.BucketLevel, Sub: "policy", Action: "oss:DeleteBucketPolicy", Handle: (*call).deleteBucketPolicy},
	{Name: "GetBucketPolicyStatus", Method: "GET", Level: request.BucketLevel, Sub: "policyStatus", Action: "oss:GetBucketPolicyStatus", Handle: (*call).getBucketPolicyStatus},
	{Name: "PutBucketLifecycle", Method: "PUT", Level: request.BucketLevel, Sub: "lifecycle", Action: "oss:PutBucketLifecycle", Handle: (*call).putBucketLifecycle},
	{Name: "GetBucketLifecycle", Method: "GET", Level: request.BucketLevel, Sub: "lifecycle", Action: "oss:GetBucketLifecycle", Handle: (*call).getBucketLifecycle},
	{Name: "DeleteBucketLifecycle", Method: "DELETE", Level: request.BucketLevel, Sub: "lifecycle", Action: "oss:DeleteBucketLifecycle", Handle: (*call).deleteBucketLifecycle},
	{Name: "PutBucketCors", Method: "PUT", Level: request.BucketLevel, Sub: "cors", Action: "oss:PutBucketCors", Handle: (*call).putBucketCORS},
	{Name: "GetBucketCors", Method: "GET", Level: request.BucketLevel, Sub: "cors", Action: "oss:GetBucketCors", Handle: (*call).getBucketCORS},
	{Name: "DeleteBucketCors", Method: "DELETE", Level: request.BucketLevel, Sub: "cors", Action: "oss:DeleteBucketCors", Handle: (*call).deleteBucketCORS},
	{Name: "OptionBucket", Method: "OPTIONS", Level: request.BucketLevel, Handle: (*call).preflight}, // never signed
	{Name: "PutBucketPublicAccessBlock", Method: "PUT", Level: request.BucketLevel, Sub: "publicAccessBlock", Action: "oss:PutBucketPublicAccessBlock", Handle: (*call).putPublicAccessBlock},
	{Name: "GetBucketPublicAccessBlock", Method: "GET", Level: request.BucketLevel, Sub: "publicAccessBlock", Action: "oss:GetBucketPublicAccessBlock", Handle: (*call).getPublicAccessBlock},
	{Name: "DeleteBucketPublicAccessBlock", Method: "DELETE", Level: request.BucketLevel, Sub: "publicAccessBlock", Action: "oss:DeleteBucketPublicAccessBlock", Handle: (*call).deletePublicAccessBlock},
	{Name: "PutBucketRequestPayment", Method: "PUT", Level: request.BucketLevel, Sub: "requestPayment", Action: "oss:PutBucketRequestPayment", Handle: (*call).putRequestPayment},
	{Name: "GetBucketRequestPayment", Method: "GET", Level: request.BucketLevel, Sub: "requestPayment", Action: "oss:GetBucketRequestPayment", Handle: (*call).getRequestPayment},
	{Name: "PutBucketResourceGroup", Method: "PUT", Level: request.BucketLevel, Sub: "resourceGroup", Action: "oss:PutBucketResourceGroup", Handle: (*call).putResourceGroup},
	{Name: "GetBucketResourceGroup", Method: "GET", Level: request.BucketLevel, Sub: "resourceGroup", Action: "oss:GetBucketResourceGroup", Handle: (*call).getResourceGroup},

	{Name: "ListLiveChannel", Method: "GET", Level: request.BucketLevel, Sub: "live", Action: "oss:ListLiveChannel", Handle: (*call).listLiveChannels},

	{Name: "PutBucketInventory", Method: "PUT", Level: request.BucketLevel, Sub: "inventory", Action: "oss:PutBucketInventory", AnyStore: true, Handle: (*call).putInventory},
	{Name: "GetBucketInventory", Method: "GET", Level: request.BucketLevel, Sub: "inventory", With: "inventoryId", Action: "oss:GetBucketInventory", AnyStore: true, Handle: (*call).getInventory},
	{Name: "ListBucketInventory", Method: "GET", Level: request.BucketLevel, Sub: "inventory", Action: "oss:GetBucketInventory", AnyStore: true, Handle: (*call).listInventories},
	{Name: "DeleteBucketInventory", Method: "DELETE", Level: request.BucketLevel, Sub: "inventory", Action: "oss:DeleteBucketInventory", AnyStore: true, Handle: (*call).deleteInventory},
	{Name: "ReplaceInventory", Method: "POST", Level: request.BucketLevel, Sub: "inventory", With: request.Extension + "=replace", Action: "oss:PutBucketInventory", AnyStore: true, Handle: (*call).replaceInventory}, // also requires oss:DeleteBucketInventory
	{Name: "RunInventory", Method: "POST", Level: request.BucketLevel, Sub: "inventory", With: request.Extension + "=run", Action: "oss:PutBucketInventory", AnyStore: true, Handle: (*call).runInventory},
	{Name: "CancelInventoryRun", Method: "POST", Level: request.BucketLevel, Sub: "inventory", With: request.Extension + "=cancel", Action: "oss:PutBucketInventory", AnyStore: true, Handle: (*call).cancelRun},
	{Name: "RetainInventoryReports", Method: "POST", Level: request.BucketLevel, Sub: "inventory", With: request.Extension + "=retain", Action: "oss:PutBucketInventory", AnyStore: true, Handle: (*call).retainReports},
	{Name: "SuspendInventory", Method: "POST", Level: request.BucketLevel, Sub: "inventory", With: request.Extension + "=suspend", Action: "oss:PutBucketInventory", AnyStore: true, Handle: (*call).suspendInventory},
	{Name: "ResumeInventory", Method: "POST", Level: request.BucketLevel, Sub: "inventory", With: request.Extension + "=resume", Action: "oss:PutBucketInventory", AnyStore: true, Handle: (*call).resumeInventory},
	{Name: "CheckInventory", Method: "POST", Level: request.BucketLevel, Sub: "inventory", With: request.Extension + "=check", Action: "oss:PutBucketInventory", AnyStore: true, Handle: (*call).checkInventory},
	{Name: "ListInventoryRuns", Method: "GET", Level: request.BucketLevel, Sub: "inventory", With: request.Extension + "=runs", Action: "oss:GetBucketInventory", AnyStore: true, Handle: (*call).listRuns},
	{Name: "GetInventoryStatus", Method: "GET", Level: request.BucketLevel, Sub: "inventory", With: request.Extension + "=status", Action: "oss:GetBucketInventory", AnyStore: true, Handle: (*call).inventoryStatus},
	{Name: "GetInventoryWork", Method: "GET", Level: request.BucketLevel, Sub: "inventory", With: request.Extension + "=work", Action: "oss:GetBucketInventory", AnyStore: true, Handle: (*call).inventoryWork},

	{Name: "PutObject", Method: "PUT", Level: request.ObjectLevel, Action: "oss:PutObject", Handle: (*call).putObject},
	{Name: "CopyObject", Method: "PUT", Level: request.ObjectLevel, With: "X-Oss-Copy-Source:", Action: "oss:PutObject", Handle: (*call).copyObject},
	{Name: "GetObject", Method: "GET", Level: request.ObjectLevel, Action: "oss:GetObject", VersionAction: "oss:GetObjectVersion", Handle: (*call).getObject},
	{Name: "HeadObject", Method: "HEAD", Level: request.ObjectLevel, Action: "oss:GetObject", VersionAction: "oss:GetObjectVersion", Handle: (*call).headObject},
	{Name: "OptionObject", Method: "OPTIONS", Level: request.ObjectLevel, Handle: (*call).preflight}, // never signed
	{Name: "GetObjectMeta", Method: "HEAD", Level: request.ObjectLevel, Sub: "objectMeta", Action: "oss:GetObject", VersionAction: "oss:GetObjectVersion", Handle: (*call).getObjectMeta},
	{Name: "DeleteObject", Method: "DELETE", Level: request.ObjectLevel, Action: "oss:DeleteObject", VersionAction: "oss:DeleteObjectVersion", Handle: (*call).deleteObject},
	{Name: "DeleteSymlink", Method: "DELETE", Level: request.ObjectLevel, Sub: "symlink", Action: "oss:DeleteObject", VersionAction: "oss:DeleteObjectVersion", Handle: (*call).deleteObject},
	{Name: "AppendObject", Method: "POST", Level: request.ObjectLevel, Sub: "append", Action: "oss:PutObject", Handle: (*call).appendObject},
	{Name: "SealAppendObject", Method: "POST", Level: request.ObjectLevel, Sub: "seal", Action: "oss:PutObject", Handle: (*call).sealAppendObject},
	{Name: "PutSymlink", Method: "PUT", Level: request.ObjectLevel, Sub: "symlink", Action: "oss:PutObject", Handle: (*call).putSymlink},
	{Name: "GetSymlink", Method: "GET", Level: request.ObjectLevel, Sub: "symlink", Action: "oss:GetObject", VersionAction: "oss:GetObjectVersion", Handle: (*call).getSymlink},
	{Name: "PutObjectAcl", Method: "PUT", Level: request.ObjectLevel, Sub: "acl", Action: "oss:PutObjectAcl", VersionAction: "oss:PutObjectVersionAcl", Handle: (*call).putObjectACL},
	{Name: "GetObjectAcl", Method: "GET", Level: request.ObjectLevel, Sub: "acl", Action: "oss:GetObjectAcl", VersionAction: "oss:GetObjectVersionAcl", Handle: (*call).getObjectACL},
	{Name: "PutObjectTagging", Method: "PUT", Level: request.ObjectLevel, Sub: "tagging", Action: "oss:PutObjectTagging", VersionAction: "oss:PutObjectVersionTagging", Handle: (*call).putObjectTagging},
	{Name: "GetObjectTagging", Method: "GET", Level: request.ObjectLevel, Sub: "tagging", Action: "oss:GetObjectTagging", VersionAction: "oss:GetObjectVersionTagging", Handle: (*call).getObjectTagging},
	{Name: "DeleteObjectTagging", Method: "DELETE", Level: request.ObjectLevel, Sub: "tagging", Action: "oss:DeleteObjectTagging", VersionAction: "oss:DeleteObjectVersionTagging", Handle: (*call).deleteObjectTagging},
	{Name: "RestoreObject", Method: "POST", Level: request.ObjectLevel, Sub: "restore", Action: "oss:RestoreObject", VersionAction: "oss:RestoreObjectVersion", Handle: (*call).restoreObject},
	{Name: "CleanRestoredObject", Method: "POST", Level: request.ObjectLevel, Sub: "cleanRestoredObject", Action: "oss:CleanRestoredObject", Handle: (*call).cleanRestoredObject},

	{Name: "InitiateMultipartUpload", Method: "POST", Level: request.ObjectLevel, Sub: "uploads", Action: "oss:PutObject", Handle: (*call).initiateUpload},
	{Name: "UploadPart", Method: "PUT", Level: request.ObjectLevel, Sub: "uploadId", Action: "oss:PutObject", Handle: (*call).uploadPart},
	{Name: "UploadPartCopy", Method: "PUT", Level: request.ObjectLevel, Sub: "uploadId", With: "X-Oss-Copy-Source:", Action: "oss:PutObject", Handle: (*call).uploadPartCopy},
	{Name: "CompleteMultipartUpload", Method: "POST", Level: request.ObjectLevel, Sub: "uploadId", Action: "oss:PutObject", Handle: (*call).completeUpload},
	{Name: "AbortMultipartUpload", Method: "DELETE", Level: request.ObjectLevel, Sub: "uploadId", Action: "oss:AbortMultipartUpload", Handle: (*call).abortUpload},
	{Name: "ListParts", Method: "GET", Level: request.ObjectLevel, Sub: "uploadId", Action: "oss:ListParts", Handle: (*call).listParts},
}

// routes finds the operation of a request.
var routes *request.Routes[func(*call) error]

func init() { routes = request.NewRoutes(operations) } // handlers refer to routes, so it cannot be a plain value
