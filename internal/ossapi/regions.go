package ossapi

import (
	"slices"

	"github.com/stocktake/stocktake/internal/ossxml"
)

// publicRegions are the plain ids of the regions of OSS. Clients expect several
// regions and choose an endpoint from the list.
//
// Source: OSS user guide, "Regions and endpoints".
var publicRegions = []string{
	"ap-northeast-1", "ap-northeast-2", "ap-southeast-1", "ap-southeast-3", "ap-southeast-5", "ap-southeast-6", "ap-southeast-7",
	"cn-beijing", "cn-chengdu", "cn-fuzhou", "cn-guangzhou", "cn-hangzhou", "cn-heyuan", "cn-hongkong", "cn-huhehaote", "cn-nanjing",
	"cn-qingdao", "cn-shanghai", "cn-shenzhen", "cn-wuhan-lr", "cn-wulanchabu", "cn-zhangjiakou",
	"eu-central-1", "eu-west-1", "me-central-1", "me-east-1", "us-east-1", "us-west-1",
}

// describeRegions answers DescribeRegions: this server's region first, then those
// of OSS.
func (c *call) describeRegions() error {
	want := c.query.Get("regions")
	regions := []string{c.Region}
	for _, r := range publicRegions {
		if !slices.Contains(regions, r) {
			regions = append(regions, r)
		}
	}
	return c.xml(func(x *ossxml.Writer) {
		x.Start("RegionInfoList")
		for _, r := range regions {
			if want != "" && want != "oss-"+r {
				continue
			}
			x.Start("RegionInfo")
			x.Text("Region", "oss-"+r)
			x.Text("InternetEndpoint", "oss-"+r+".aliyuncs.com")
			x.Text("InternalEndpoint", "oss-"+r+"-internal.aliyuncs.com")
			x.Text("AccelerateEndpoint", "oss-accelerate.aliyuncs.com")
			x.End("RegionInfo")
		}
		x.End("RegionInfoList")
	})
}
