package places

import (
	"strings"

	"github.com/stocktake/stocktake/internal/foreign"
	"github.com/stocktake/stocktake/internal/take"
)

// A listPrice is the price of requests to a public service.
//
// Source: price lists of both as of November 2026. Listings are requests of the
// kind PUT for either, requests about objects of the kind GET.
type listPrice struct {
	host     string  // ending of the endpoint's
	per      float64 // requests
	price    float64
	object   float64 // of so many requests about objects
	currency string
	where    string
}

var listPrices = map[foreign.Kind]listPrice{
	foreign.S3:  {".amazonaws.com", 1000, 0.005, 0.0004, "USD", "us-east-1, class Standard; other regions differ"},
	foreign.OSS: {".aliyuncs.com", 10_000, 0.01, 0.01, "CNY", "mainland China; other regions differ"},
}

// A Price is what the requests of a take cost by the price list of a public service.
type Price struct {
	Amount   float64
	Currency string // its ISO 4217 code
	Where    string // what the list is for, for people
}

// Price returns the price of the requests that an estimate expects at a bucket; false if it
// is not at a public service.
func (p *Place) Price(e *take.Estimate) (Price, bool) {
	list, ok := listPrices[p.Store.Settings().Kind]
	if !ok || !strings.HasSuffix(strings.TrimSuffix(p.Store.URL(), ".cn"), list.host) {
		return Price{}, false
	}
	return Price{(float64(e.Calls)*list.price + float64(e.Requests)*list.object) / list.per, list.currency, list.where}, true
}
