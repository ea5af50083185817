package ossapi_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss"

	"github.com/stocktake/stocktake/internal/signature"
)

// other sends a request as the other account.
func (w *world) other(t *testing.T, method, path, body string, header map[string]string) message {
	t.Helper()
	r := w.request(t, method, path, body, header)
	bucket, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	return w.send(t, w.signedAs(t, r, signature.Credentials{ID: otherID, Secret: otherPass}, signature.Target{Bucket: bucket, Key: key}))
}

// anonymous sends a request without a signature.
func (w *world) anonymous(t *testing.T, method, path, body string) message {
	t.Helper()
	return w.send(t, w.request(t, method, path, body, nil))
}

func TestPutBucket(t *testing.T) {
	w := newWorld(t)
	class := func(class, redundancy string) string {
		return "<CreateBucketConfiguration><StorageClass>" + class + "</StorageClass><DataRedundancyType>" + redundancy + "</DataRedundancyType></CreateBucketConfiguration>"
	}
	m := w.must(t, w.do(t, "PUT", "/photos", "", nil), 200)
	if m.header.Get("Location") != "/photos" {
		t.Errorf("%v", m.header)
	}
	// The owner may create it again, but not with other settings.
	w.must(t, w.do(t, "PUT", "/photos/", "", nil), 200)
	w.must(t, w.do(t, "PUT", "/photos", class("Standard", "LRS"), nil), 200)
	for _, doc := range []string{class("IA", "LRS"), class("Standard", "ZRS")} {
		p := w.refused(t, w.do(t, "PUT", "/photos", doc, nil), 409, "BucketAlreadyExists")
		if p.EC != "0015-00000104" || p.BucketName != "photos" || !strings.Contains(p.Message, "modify") {
			t.Errorf("%+v", p)
		}
	}
	w.refused(t, w.other(t, "PUT", "/photos", "", nil), 409, "BucketAlreadyExists")
	w.refused(t, w.anonymous(t, "PUT", "/nobodys", ""), 403, "AccessDenied")

	for name, header := range map[string]map[string]string{
		"acl":  {"X-Oss-Acl": "everybody"},
		"none": {"X-Oss-Acl": "default"},
		"tags": {"X-Oss-Bucket-Tagging": "a=1&a=2"},
	} {
		w.refused(t, w.do(t, "PUT", "/bad-"+name, "", header), 400, "InvalidArgument")
		w.refused(t, w.do(t, "GET", "/bad-"+name+"/?acl", "", nil), 404, "NoSuchBucket")
	}
	for _, doc := range []string{class("Warm", "LRS"), class("IA", "RAID"), "<CreateBucketConfiguration><LocationConstraint>oss-mars</LocationConstraint></CreateBucketConfiguration>"} {
		w.refused(t, w.do(t, "PUT", "/bad-doc", doc, nil), 400, "InvalidArgument")
	}
	w.must(t, w.do(t, "PUT", "/archive", class("Archive", "ZRS"), map[string]string{
		"X-Oss-Resource-Group-Id": "rg-1", "X-Oss-Bucket-Tagging": "a=1&b=%26",
	}), 200)
	m = w.must(t, w.do(t, "GET", "/archive/?bucketInfo", "", nil), 200)
	for _, want := range []string{"<StorageClass>Archive<", "<DataRedundancyType>ZRS<", "<ResourceGroupId>rg-1<", "<BlockPublicAccess>true<", "<Grant>private<"} {
		if !strings.Contains(m.body, want) {
			t.Errorf("%s is not in %s", want, m.body)
		}
	}
	if m = w.do(t, "GET", "/archive/?tagging", "", nil); !strings.Contains(m.body, "<Key>b</Key><Value>&amp;</Value>") {
		t.Error(m.body)
	}
	// An ACL in the request makes the bucket public.
	w.must(t, w.do(t, "PUT", "/public", "", map[string]string{"X-Oss-Acl": "public-read"}), 200)
	w.must(t, w.anonymous(t, "GET", "/public/", ""), 200)
	w.refused(t, w.do(t, "PUT", "/photos", "", map[string]string{"X-Oss-Acl": "public-read"}), 403, "AccessDenied")

	for i := range 97 {
		w.must(t, w.do(t, "PUT", fmt.Sprintf("/more-%d", i), "", nil), 200)
	}
	w.refused(t, w.do(t, "PUT", "/too-many", "", nil), 400, "TooManyBuckets")
}

func TestDeleteBucket(t *testing.T) {
	w := newWorld(t)
	w.bucket(t, "photos")
	w.must(t, w.do(t, "PUT", "/photos/?inventory&inventoryId=daily", configuration("daily", ""), nil), 200)
	w.must(t, w.do(t, "PUT", "/photos/cat", "meow", nil), 200)
	p := w.refused(t, w.do(t, "DELETE", "/photos/", "", nil), 409, "BucketNotEmpty")
	if p.EC != "0015-00000301" {
		t.Errorf("%+v", p)
	}
	w.must(t, w.do(t, "DELETE", "/photos/cat", "", nil), 204)
	w.refused(t, w.other(t, "DELETE", "/photos/", "", nil), 403, "AccessDenied")
	m := w.must(t, w.do(t, "DELETE", "/photos", "", nil), 204)
	if m.body != "" || m.header.Get("Content-Length") != "" {
		t.Errorf("%+v", m)
	}
	w.refused(t, w.do(t, "DELETE", "/photos/", "", nil), 404, "NoSuchBucket")
	// Its inventories were deleted with it.
	w.bucket(t, "photos")
	w.refused(t, w.do(t, "GET", "/photos/?inventory", "", nil), 404, "NoSuchInventory")
}

func TestListBuckets(t *testing.T) {
	w := newWorld(t)
	c := w.client()
	ctx := t.Context()
	for i := range 7 {
		w.bucket(t, fmt.Sprintf("photos-%d", i))
	}
	w.bucket(t, "other")
	w.must(t, w.other(t, "PUT", "/photos-of-others", "", nil), 200)
	_, err := c.PutBucketTags(ctx, &oss.PutBucketTagsRequest{Bucket: oss.Ptr("photos-3"), Tagging: &oss.Tagging{TagSet: &oss.TagSet{
		Tags: []oss.Tag{{Key: oss.Ptr("k"), Value: oss.Ptr("v")}, {Key: oss.Ptr("l"), Value: oss.Ptr("w")}},
	}}})
	check(t, err)
	names := func(r *oss.ListBucketsRequest) (names []string) {
		for p := c.NewListBucketsPaginator(r); p.HasNext(); {
			page, err := p.NextPage(ctx)
			check(t, err)
			for _, b := range page.Buckets {
				names = append(names, oss.ToString(b.Name))
			}
		}
		return names
	}
	all := []string{"photos-0", "photos-1", "photos-2", "photos-3", "photos-4", "photos-5", "photos-6"}
	for size := int32(1); size < 9; size++ {
		if got := names(&oss.ListBucketsRequest{Prefix: oss.Ptr("photos-"), MaxKeys: size}); !slices.Equal(got, all) {
			t.Errorf("pages of %d: %v", size, got)
		}
	}
	for _, r := range []*oss.ListBucketsRequest{
		{TagKey: oss.Ptr("k")},
		{TagKey: oss.Ptr("k"), TagValue: oss.Ptr("v")},
		{Tagging: oss.Ptr(`"k":"v"`)},
		{Tagging: oss.Ptr(`"k":"v","l":"w"`)},
	} {
		if got := names(r); !slices.Equal(got, all[3:4]) {
			t.Errorf("%+v: %v", r, got)
		}
	}
	for _, r := range []*oss.ListBucketsRequest{
		{TagKey: oss.Ptr("k"), TagValue: oss.Ptr("x")},
		{Tagging: oss.Ptr(`"k":"v","l":"x"`)},
		{ResourceGroupId: oss.Ptr("rg-1")},
		{Marker: oss.Ptr("photos-6")},
	} {
		if got := names(r); len(got) != 0 {
			t.Errorf("%+v: %v", r, got)
		}
	}
	for _, query := range []string{"max-keys=0", "prefix=Photos", "prefix=-photos", "prefix=a.b", "prefix=" + strings.Repeat("a", 64), "max-keys=1001", "max-keys=x", "tagging=k%3Av", "tag-value=v", "tag-key=k&tagging=%22k%22:%22v%22"} {
		w.refused(t, w.do(t, "GET", "/?"+query, "", nil), 400, "InvalidArgument")
	}
	p := w.refused(t, w.anonymous(t, "GET", "/", ""), 403, "AccessDenied")
	if p.Message != "Anonymous access is forbidden for this operation." {
		t.Errorf("%+v", p)
	}
	if m := w.must(t, w.other(t, "GET", "/", "", nil), 200); strings.Count(m.body, "<Name>") != 1 || !strings.Contains(m.body, "<ID>"+stranger+"</ID>") {
		t.Error(m.body)
	}
}

func TestBucketConfigurations(t *testing.T) {
	w := newWorld(t)
	w.bucket(t, "photos")
	get := func(sub string) string {
		t.Helper()
		return strings.TrimPrefix(w.must(t, w.do(t, "GET", "/photos/?"+sub, "", nil), 200).body, `<?xml version="1.0" encoding="UTF-8"?>`+"\n")
	}
	put := func(sub, doc string) {
		t.Helper()
		w.must(t, w.do(t, "PUT", "/photos/?"+sub, doc, nil), 200)
	}
	want := func(sub, doc string) {
		t.Helper()
		if got := get(sub); got != doc {
			t.Errorf("%s: %s, want %s", sub, got, doc)
		}
	}
	want("location", "<LocationConstraint>oss-cn-hangzhou</LocationConstraint>")
	want("versioning", "<VersioningConfiguration></VersioningConfiguration>")
	put("versioning", "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>")
	want("versioning", "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>")
	put("versioning", "<VersioningConfiguration><Status>Suspended</Status></VersioningConfiguration>")
	want("versioning", "<VersioningConfiguration><Status>Suspended</Status></VersioningConfiguration>")
	w.refused(t, w.do(t, "PUT", "/photos/?versioning", "<VersioningConfiguration><Status>enabled</Status></VersioningConfiguration>", nil), 400, "MalformedXML")

	// encryption
	w.refused(t, w.do(t, "GET", "/photos/?encryption", "", nil), 404, "NoSuchServerSideEncryptionRule")
	rule := func(in string) string {
		return "<ServerSideEncryptionRule><ApplyServerSideEncryptionByDefault>" + in + "</ApplyServerSideEncryptionByDefault></ServerSideEncryptionRule>"
	}
	for _, in := range []string{"<SSEAlgorithm>AES256</SSEAlgorithm>", "<SSEAlgorithm>SM4</SSEAlgorithm>", "<SSEAlgorithm>KMS</SSEAlgorithm><KMSMasterKeyID>key-1</KMSMasterKeyID><KMSDataEncryption>SM4</KMSDataEncryption>"} {
		put("encryption", rule(in))
		want("encryption", rule(in))
	}
	if p := w.refused(t, w.do(t, "PUT", "/photos/?encryption", rule("<SSEAlgorithm>AES256</SSEAlgorithm><KMSMasterKeyID>key-1</KMSMasterKeyID>"), nil), 400, "InvalidArgument"); p.EC != "0005-00000204" {
		t.Errorf("%+v", p)
	}
	if p := w.refused(t, w.do(t, "PUT", "/photos/?encryption", rule("<SSEAlgorithm>KMS</SSEAlgorithm><KMSDataEncryption>DES</KMSDataEncryption>"), nil), 400, "InvalidArgument"); p.EC != "0005-00000203" {
		t.Errorf("%+v", p)
	}
	w.refused(t, w.do(t, "PUT", "/photos/?encryption", rule("<SSEAlgorithm>DES</SSEAlgorithm>"), nil), 400, "InvalidEncryptionAlgorithmError")
	w.must(t, w.do(t, "DELETE", "/photos/?encryption", "", nil), 204)
	w.refused(t, w.do(t, "GET", "/photos/?encryption", "", nil), 404, "NoSuchServerSideEncryptionRule")

	// ACL and the block of public access
	acl := func(acl string) message {
		return w.do(t, "PUT", "/photos/?acl", "", map[string]string{"X-Oss-Acl": acl})
	}
	w.refused(t, acl("public-read"), 403, "AccessDenied")
	w.refused(t, acl(""), 400, "InvalidArgument")
	want("publicAccessBlock", "<PublicAccessBlockConfiguration><BlockPublicAccess>true</BlockPublicAccess></PublicAccessBlockConfiguration>")
	put("publicAccessBlock", "<PublicAccessBlockConfiguration><BlockPublicAccess>false</BlockPublicAccess></PublicAccessBlockConfiguration>")
	w.must(t, acl("public-read"), 200)
	if got := get("acl"); !strings.Contains(got, "<Grant>public-read</Grant>") {
		t.Error(got)
	}
	w.must(t, w.anonymous(t, "GET", "/photos/", ""), 200)
	put("publicAccessBlock", "<PublicAccessBlockConfiguration><BlockPublicAccess>true</BlockPublicAccess></PublicAccessBlockConfiguration>")
	w.refused(t, w.anonymous(t, "GET", "/photos/", ""), 403, "AccessDenied")
	w.must(t, w.do(t, "DELETE", "/photos/?publicAccessBlock", "", nil), 204)
	w.must(t, w.anonymous(t, "GET", "/photos/", ""), 200)
	w.refused(t, w.do(t, "PUT", "/photos/?publicAccessBlock", "<PublicAccessBlockConfiguration/>", nil), 400, "InvalidArgument")

	// tags
	want("tagging", "<Tagging><TagSet></TagSet></Tagging>")
	tags := "<Tagging><TagSet><Tag><Key>a</Key><Value>1</Value></Tag><Tag><Key>b &lt;</Key><Value></Value></Tag></TagSet></Tagging>"
	put("tagging", tags)
	want("tagging", tags)
	w.must(t, w.do(t, "DELETE", "/photos/?tagging=a,c", "", nil), 204)
	want("tagging", "<Tagging><TagSet><Tag><Key>b &lt;</Key><Value></Value></Tag></TagSet></Tagging>")
	w.must(t, w.do(t, "DELETE", "/photos/?tagging", "", nil), 204)
	want("tagging", "<Tagging><TagSet></TagSet></Tagging>")
	tag := func(key, value string) string {
		return "<Tag><Key>" + key + "</Key><Value>" + value + "</Value></Tag>"
	}
	for _, set := range []string{tag("", "1"), tag(strings.Repeat("k", 129), "1"), tag("a", strings.Repeat("v", 257)), tag("a", "1") + tag("a", "2"), tag("a&#x01;", "")} {
		w.refused(t, w.do(t, "PUT", "/photos/?tagging", "<Tagging><TagSet>"+set+"</TagSet></Tagging>", nil), 400, "InvalidArgument")
	}

	// resource group
	want("resourceGroup", "<BucketResourceGroupConfiguration><ResourceGroupId>rg-default</ResourceGroupId></BucketResourceGroupConfiguration>")
	put("resourceGroup", "<BucketResourceGroupConfiguration><ResourceGroupId>rg-1</ResourceGroupId></BucketResourceGroupConfiguration>")
	want("resourceGroup", "<BucketResourceGroupConfiguration><ResourceGroupId>rg-1</ResourceGroupId></BucketResourceGroupConfiguration>")
	w.refused(t, w.do(t, "PUT", "/photos/?resourceGroup", "<BucketResourceGroupConfiguration><ResourceGroupId>rg-not-exist</ResourceGroupId></BucketResourceGroupConfiguration>", nil), 400, "ResourceGroupIdPreCheckError")
	w.refused(t, w.do(t, "PUT", "/grouped", "", map[string]string{"X-Oss-Resource-Group-Id": "<a>"}), 400, "ResourceGroupIdPreCheckError")

	// policy
	w.refused(t, w.do(t, "GET", "/photos/?policy", "", nil), 404, "NoSuchBucketPolicy")
	if m := w.must(t, w.do(t, "GET", "/photos/?policyStatus", "", nil), 200); !strings.Contains(m.body, "<IsPublic>false</IsPublic>") {
		t.Error(m.body)
	}
	w.refused(t, w.do(t, "PUT", "/photos/?policy", "{}", nil), 400, "InvalidPolicyDocument")
	w.refused(t, w.do(t, "PUT", "/photos/?policy", "<no json>", nil), 400, "InvalidPolicyDocument")
	policy := `{"Version":"1","Statement":[{"Effect":"Allow","Action":["oss:GetObject"],"Principal":["` + stranger + `"],"Resource":["acs:oss:*:*:photos/*"]}]}`
	w.must(t, w.do(t, "PUT", "/photos/cat", "meow", nil), 200)
	w.must(t, acl("private"), 200)
	w.refused(t, w.other(t, "GET", "/photos/cat", "", nil), 403, "AccessDenied")
	put("policy", policy)
	want("policy", policy)
	want("policyStatus", "<PolicyStatus><IsPublic>false</IsPublic></PolicyStatus>")
	w.must(t, w.other(t, "GET", "/photos/cat", "", nil), 200)
	w.refused(t, w.other(t, "PUT", "/photos/cat", "woof", nil), 403, "AccessDenied")

	// who pays
	payment := func(payer string) string {
		return "<RequestPaymentConfiguration><Payer>" + payer + "</Payer></RequestPaymentConfiguration>"
	}
	want("requestPayment", payment("BucketOwner"))
	put("requestPayment", payment("Requester"))
	want("requestPayment", payment("Requester"))
	p := w.refused(t, w.other(t, "GET", "/photos/cat", "", nil), 403, "AccessDenied")
	if p.Message != "Access denied for requester pay bucket" {
		t.Errorf("%+v", p)
	}
	w.must(t, w.other(t, "GET", "/photos/cat", "", map[string]string{"X-Oss-Request-Payer": "requester"}), 200)
	w.must(t, w.do(t, "GET", "/photos/cat", "", nil), 200)
	put("requestPayment", payment("BucketOwner"))
	w.must(t, w.other(t, "GET", "/photos/cat", "", nil), 200)
	w.refused(t, w.do(t, "PUT", "/photos/?requestPayment", payment("Nobody"), nil), 400, "InvalidArgument")

	public := strings.Replace(policy, stranger, "*", 1)
	put("policy", public)
	want("policyStatus", "<PolicyStatus><IsPublic>true</IsPublic></PolicyStatus>")
	w.must(t, w.anonymous(t, "GET", "/photos/cat", ""), 200)
	w.must(t, w.do(t, "DELETE", "/photos/?policy", "", nil), 204)
	put("publicAccessBlock", "<PublicAccessBlockConfiguration><BlockPublicAccess>true</BlockPublicAccess></PublicAccessBlockConfiguration>")
	w.refused(t, w.do(t, "PUT", "/photos/?policy", public, nil), 403, "AccessDenied")
	w.refused(t, w.anonymous(t, "GET", "/photos/cat", ""), 403, "AccessDenied")

	if got := get("stat"); !strings.Contains(got, "<Storage>4</Storage><ObjectCount>1</ObjectCount>") {
		t.Error(got)
	}
}

func TestLifecycle(t *testing.T) {
	w := newWorld(t)
	w.bucket(t, "photos")
	w.refused(t, w.do(t, "GET", "/photos/?lifecycle", "", nil), 404, "NoSuchLifecycle")
	doc := "<LifecycleConfiguration><Rule><ID>a</ID><Prefix>log/</Prefix><Status>Enabled</Status><Tag><Key>k</Key><Value>v</Value></Tag>" +
		"<Filter><ObjectSizeGreaterThan>10</ObjectSizeGreaterThan><Not><Prefix>log/keep/</Prefix></Not></Filter>" +
		"<Expiration><Days>30</Days></Expiration>" +
		"<Transition><Days>3</Days><StorageClass>IA</StorageClass></Transition><Transition><Days>9</Days><StorageClass>Archive</StorageClass></Transition>" +
		"<NoncurrentVersionExpiration><NoncurrentDays>9</NoncurrentDays></NoncurrentVersionExpiration>" +
		"<NoncurrentVersionTransition><NoncurrentDays>4</NoncurrentDays><StorageClass>ColdArchive</StorageClass></NoncurrentVersionTransition></Rule>" +
		"<Rule><ID>b</ID><Prefix></Prefix><Status>Disabled</Status><Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>" +
		"<AbortMultipartUpload><CreatedBeforeDate>2026-01-05T00:00:00.000Z</CreatedBeforeDate></AbortMultipartUpload></Rule></LifecycleConfiguration>"
	w.must(t, w.do(t, "PUT", "/photos/?lifecycle", doc, nil), 200)
	m := w.must(t, w.do(t, "GET", "/photos/?lifecycle", "", nil), 200)
	if _, got, _ := strings.Cut(m.body, "\n"); got != doc {
		t.Errorf("%s\nwant %s", got, doc)
	}
	rule := func(in string) string {
		return "<LifecycleConfiguration><Rule><Status>Enabled</Status>" + in + "</Rule></LifecycleConfiguration>"
	}
	two := func(a, b string) string {
		return "<LifecycleConfiguration><Rule><ID>a</ID><Status>Enabled</Status>" + a + "</Rule><Rule><ID>b</ID><Status>Enabled</Status>" + b + "</Rule></LifecycleConfiguration>"
	}
	expire := "<Expiration><Days>1</Days></Expiration>"
	for code, docs := range map[string][]string{
		"MalformedXML": {"<LifecycleConfiguration/>", "<LifecycleConfiguration><Rule>" + expire + "</Rule></LifecycleConfiguration>", rule("<Filter><ObjectSizeLessThan>x</ObjectSizeLessThan></Filter>" + expire)},
		"InvalidArgument": {
			rule(""), rule("<Expiration/>"), rule("<Expiration><Days>1</Days><Date>2026-01-05T00:00:00.000Z</Date></Expiration>"),
			rule("<Expiration><Days>0</Days></Expiration>"), rule("<Expiration><Days>x</Days></Expiration>"),
			rule("<Expiration><Days>1</Days><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>"),
			rule("<Expiration><Date>2026-01-05T01:00:00.000Z</Date></Expiration>"), rule("<Expiration><Date>soon</Date></Expiration>"),
			rule("<Transition><Days>1</Days><StorageClass>Standard</StorageClass></Transition>"), rule("<Transition><Days>1</Days><StorageClass>Warm</StorageClass></Transition>"),
			rule("<ID>" + strings.Repeat("i", 256) + "</ID>" + expire),
			strings.Replace(doc, "<ID>b</ID>", "<ID>a</ID>", 1),
		},
		"InvalidRequest": {two(expire, expire)},
		"NotImplemented": {rule("<Transition><Days>1</Days><StorageClass>IA</StorageClass><IsAccessTime>true</IsAccessTime></Transition>")},
	} {
		for _, doc := range docs {
			status := map[string]int{"NotImplemented": 501}[code]
			w.refused(t, w.do(t, "PUT", "/photos/?lifecycle", doc, nil), max(status, 400), code)
		}
	}
	m = w.must(t, w.do(t, "PUT", "/photos/log/1", "0123456789abc", map[string]string{"X-Oss-Tagging": "k=v"}), 200)
	m = w.must(t, w.do(t, "GET", "/photos/log/1", "", nil), 200)
	if got := m.header.Get("X-Oss-Expiration"); !strings.Contains(got, `rule-id="a"`) {
		t.Errorf("x-oss-expiration: %s", got)
	}
	w.must(t, w.do(t, "DELETE", "/photos/?lifecycle", "", nil), 204)
	w.refused(t, w.do(t, "GET", "/photos/?lifecycle", "", nil), 404, "NoSuchLifecycle")
}

func TestDescribeRegions(t *testing.T) {
	w := newWorld(t)
	c := w.client()
	for _, tt := range []struct {
		region      *string
		least, most int
	}{{nil, 2, 100}, {oss.Ptr("oss-cn-hangzhou"), 1, 1}, {oss.Ptr("oss-us-east-1"), 1, 1}, {oss.Ptr("oss-mars"), 0, 0}} {
		res, err := c.DescribeRegions(t.Context(), &oss.DescribeRegionsRequest{Regions: tt.region})
		check(t, err)
		if n := len(res.RegionInfoList.RegionInfos); n < tt.least || n > tt.most || n > 0 && tt.region == nil && *res.RegionInfoList.RegionInfos[0].Region != "oss-cn-hangzhou" {
			t.Errorf("%s: %d", oss.ToString(tt.region), n)
		}
	}
}
