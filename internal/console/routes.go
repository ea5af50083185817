package console

import "strings"

// A route is a page or an action. To add one, add a row here. The tests then report
// what is missing: a row of the access matrix, a request that tries it.
type route struct {
	Name    string
	Method  string
	Pattern string

	// Needs are the RAM actions that the API requires for the purpose of the route.
	// They are for the docs and for the help text of a denied request; the API
	// decides.
	Needs []string

	// Account restricts the route to the account itself.
	Account bool
	// Public routes need no session.
	Public bool
	// Streams means that the answer is a stream of events.
	Streams bool

	handle func(*visit) (*page, error)
}

const (
	bucketPath    = "/buckets/{bucket}"
	inventoryPath = bucketPath + "/inventories/{id}"
	reportPath    = inventoryPath + "/reports/{report}"

	mayGet  = "oss:GetBucketInventory"
	mayPut  = "oss:PutBucketInventory"
	mayRead = "oss:GetObject"
	mayList = "oss:ListObjects"
)

var routes []route

func init() { // pages refer to routes, so it cannot be a plain value
	routes = []route{
		{Name: "SignInPage", Method: "GET", Pattern: "/sign-in", Public: true, handle: (*visit).signInPage},
		{Name: "SignIn", Method: "POST", Pattern: "/sign-in", Public: true, handle: (*visit).signIn},
		{Name: "EnterByLink", Method: "GET", Pattern: "/enter", Public: true, handle: (*visit).enterByLink},
		{Name: "SignOut", Method: "POST", Pattern: "/sign-out", handle: (*visit).signOut},

		{Name: "Buckets", Method: "GET", Pattern: "/{$}", handle: (*visit).buckets}, // shows what the key may see
		{Name: "OpenBucket", Method: "GET", Pattern: "/open", handle: (*visit).openBucket},
		{Name: "Bucket", Method: "GET", Pattern: bucketPath, Needs: []string{mayGet}, handle: (*visit).bucketPage},

		{Name: "NewInventory", Method: "GET", Pattern: bucketPath + "/new", Needs: []string{mayGet}, handle: (*visit).newInventory},
		{Name: "CheckForm", Method: "POST", Pattern: bucketPath + "/check-form", Needs: []string{mayGet}, handle: (*visit).checkForm},
		{Name: "PutInventory", Method: "POST", Pattern: bucketPath + "/new", Needs: []string{mayPut}, handle: (*visit).putInventory},

		{Name: "Inventory", Method: "GET", Pattern: inventoryPath, Needs: []string{mayGet}, handle: (*visit).inventory},
		{Name: "ChangeInventory", Method: "GET", Pattern: inventoryPath + "/change", Needs: []string{mayGet}, handle: (*visit).changeInventory},
		{Name: "ReplaceInventory", Method: "POST", Pattern: inventoryPath + "/change", Needs: []string{mayGet, mayPut, "oss:DeleteBucketInventory"}, handle: (*visit).replaceInventory},
		{Name: "RunInventory", Method: "POST", Pattern: inventoryPath + "/run", Needs: []string{mayPut}, handle: (*visit).runInventory},
		{Name: "CancelRun", Method: "POST", Pattern: inventoryPath + "/cancel", Needs: []string{mayPut}, handle: (*visit).cancelRun},
		{Name: "SuspendInventory", Method: "POST", Pattern: inventoryPath + "/suspend", Needs: []string{mayPut}, handle: (*visit).suspendInventory},
		{Name: "ResumeInventory", Method: "POST", Pattern: inventoryPath + "/resume", Needs: []string{mayPut}, handle: (*visit).resumeInventory},
		{Name: "CheckInventory", Method: "POST", Pattern: inventoryPath + "/check", Needs: []string{mayPut}, handle: (*visit).checkInventory},
		{Name: "RetainReports", Method: "POST", Pattern: inventoryPath + "/retain", Needs: []string{mayPut}, handle: (*visit).retainReports},
		{Name: "DeleteInventory", Method: "POST", Pattern: inventoryPath + "/delete", Needs: []string{"oss:DeleteBucketInventory"}, handle: (*visit).deleteInventory},

		{Name: "Run", Method: "GET", Pattern: inventoryPath + "/runs/{run}", Needs: []string{mayGet}, handle: (*visit).run},
		{Name: "FollowRun", Method: "GET", Pattern: inventoryPath + "/runs/{run}/live", Needs: []string{mayGet}, Streams: true, handle: (*visit).followRun},

		{Name: "Reports", Method: "GET", Pattern: inventoryPath + "/reports", Needs: []string{mayGet, mayList}, handle: (*visit).reportsPage},
		{Name: "Report", Method: "GET", Pattern: reportPath, Needs: []string{mayGet, mayRead}, handle: (*visit).report},
		{Name: "CompareReports", Method: "GET", Pattern: reportPath + "/compare", Needs: []string{mayGet, mayRead}, handle: (*visit).compare},
		{Name: "DownloadShard", Method: "GET", Pattern: reportPath + "/shards/{shard}", Needs: []string{mayGet, mayRead}, handle: (*visit).downloadShard},
		{Name: "VerifyReport", Method: "GET", Pattern: reportPath + "/verify", Needs: []string{mayGet, mayRead}, Streams: true, handle: (*visit).verify},

		{Name: "Machines", Method: "GET", Pattern: "/machines", Account: true, handle: (*visit).machines},
		{Name: "FollowMachines", Method: "GET", Pattern: "/machines/live", Account: true, Streams: true, handle: (*visit).followMachines},
		{Name: "Webhooks", Method: "GET", Pattern: "/webhooks", Account: true, handle: (*visit).webhooks},
		{Name: "RetryNotice", Method: "POST", Pattern: "/webhooks/retry", Account: true, handle: (*visit).retryNotice},
		{Name: "TestWebhook", Method: "POST", Pattern: "/webhooks/test", Account: true, handle: (*visit).testWebhook},
		{Name: "DropNotice", Method: "POST", Pattern: "/webhooks/drop", Account: true, handle: (*visit).dropNotice},
	}
}

// needs describes the rights that the route needs.
func (rt *route) needs() string {
	switch {
	case rt.Account:
		return "the account itself"
	case len(rt.Needs) == 0:
		return "its API operations"
	}
	return strings.Join(rt.Needs, ", ")
}
